# fish completion for image-store
function __image_store_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    set -l current (commandline -ct | string unescape)
    set -l lines ($program complete -- $words "$current" 2>/dev/null)
    set -l flags $lines[1]
    set -e lines[1]
    for line in $lines
        printf '%s\n' $line
    end
    if string match -q '*files*' -- $flags
        __fish_complete_path "$current"
    else if string match -q '*folders*' -- $flags
        __fish_complete_directories "$current"
    end
end
complete -c image-store -f -a '(__image_store_complete)'
