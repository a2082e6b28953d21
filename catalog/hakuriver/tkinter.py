"""Stands for tkinter where it is not installed: HakuRiver's runner imports this constant and does not use it."""

TRUE = 1
