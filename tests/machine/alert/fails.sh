#!/bin/sh
# Says a few last words, some of which nobody should have to read, and fails.
echo "$1: the first line"
printf '%s: \033[31mred\033[0m \377 "quoted" \\ {}\n' "$1"
echo "$1: the last line" >&2
# The journal looks up whose a line is when it gets it; of a user's service that is gone by then, it cannot know.
if [ "$1" = session ]; then sleep 1; fi
exit 7
