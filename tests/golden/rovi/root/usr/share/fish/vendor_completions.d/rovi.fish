# fish completion for rovi: the program itself prints the candidates.
function __rovi
    set -l typed (commandline --tokenize --cut-at-cursor --current-process)
    set -l last (commandline --current-token --cut-at-cursor)
    rovi --complete $typed[2..] "$last" 2>/dev/null
end
complete --command rovi --no-files --arguments '(__rovi)'
