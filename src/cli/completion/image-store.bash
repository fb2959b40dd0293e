# bash completion for image-store
_image_store() {
  # Bash splits words at colons and equals signs too, so the line is read anew, with its quotes.
  local line=${COMP_LINE:0:COMP_POINT} word= quote= started= char i
  local -a words=()
  for ((i = 0; i < ${#line}; i++)); do
    char=${line:i:1}
    if [[ $quote == "'" ]]; then
      if [[ $char == "'" ]]; then quote=; else word+=$char; fi
    elif [[ $char == \\ ]]; then
      ((++i))
      word+=${line:i:1} started=1
    elif [[ $quote && $char == "$quote" ]]; then
      quote=
    elif [[ $quote ]]; then
      word+=$char
    elif [[ $char == [\'\"] ]]; then
      quote=$char started=1
    elif [[ $char == [[:space:]] ]]; then
      [[ $started ]] && words+=("$word")
      word= started=
    else
      word+=$char started=1
    fi
  done
  words+=("$word")
  local flags value rest
  COMPREPLY=()
  {
    IFS= read -r flags || return 0
    while IFS=$'\t' read -r value rest; do COMPREPLY+=("$value"); done
  } < <("${words[0]}" complete -- "${words[@]:1}" 2>/dev/null)
  local IFS=$'\n'
  [[ $flags == *files* ]] && COMPREPLY+=($(compgen -f -- "$word"))
  [[ $flags == *folders* ]] && COMPREPLY+=($(compgen -d -- "$word"))
  [[ $flags == *names* ]] && compopt -o filenames
  [[ $flags == *nospace* ]] && compopt -o nospace
  # Readline replaces only what stands behind the last of them.
  if [[ $word == *[:=]* && $COMP_WORDBREAKS == *[:=]* ]]; then
    local kept=${word%"${word##*[:=]}"}
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
  fi
  return 0
}
complete -F _image_store image-store
