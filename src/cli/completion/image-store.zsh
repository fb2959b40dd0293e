#compdef image-store
_image_store() {
  local -a lines values shown space
  local flags line value rest
  lines=("${(@f)$("${(Q)words[1]}" complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
  flags=$lines[1]
  for line in "${(@)lines[2,-1]}"; do
    value=${line%%$'\t'*}
    rest=${line#*$'\t'}
    [[ -z $value ]] && continue
    values+=("$value")
    if [[ $line == *$'\t'* ]]; then shown+=("$value  -- $rest"); else shown+=("$value"); fi
  done
  [[ $flags == *nospace* ]] && space=(-S '')
  (( $#values )) && compadd -l "${space[@]}" -d shown -a values
  [[ $flags == *files* ]] && _files
  [[ $flags == *folders* ]] && _files -/
  return 0
}
if [[ $funcstack[1] == _image_store ]]; then _image_store "$@"; else compdef _image_store image-store; fi
