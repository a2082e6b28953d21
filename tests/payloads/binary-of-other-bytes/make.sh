printf program >one
