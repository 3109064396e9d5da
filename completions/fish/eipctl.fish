# fish completion for eipctl
complete -c eipctl -f -a '(eipctl __complete (commandline -opc)[2..-1] "$(commandline -ct)" 2>/dev/null)'
complete -c eipctl -l socket -r -F
