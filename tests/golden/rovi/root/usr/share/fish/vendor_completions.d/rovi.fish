# Completion of rovi in fish: the program itself knows what could come next.
function __rovi
    set -l typed (commandline --tokenize --cut-at-cursor --current-process)
    set -l last (commandline --current-token --cut-at-cursor)
    rovi --complete $typed[2..] "$last" 2>/dev/null
end
complete --command rovi --no-files --arguments '(__rovi)'
