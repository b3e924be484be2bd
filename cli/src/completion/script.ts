/**
 * The scripts that a shell sources. Each hands the words to `vbs complete -- WORDS` as arguments of their own: a line that is only
 * being typed, with `$(…)` in it, must never be evaluated. They need nothing but the shell.
 */
const scripts: Readonly<Record<string, string>> = {
  bash: String.raw`# bash completion for vbs
_vbs_complete() {
    local word rest typed=()
    COMPREPLY=()
    # bash takes --state=error apart: the sign is no word of the command line.
    for word in "${'$'}{COMP_WORDS[@]:1:COMP_CWORD}"; do
        [[ $word == "=" ]] || typed+=("$word")
    done
    [[ ${'$'}{COMP_WORDS[COMP_CWORD]} == "=" ]] && typed+=("")
    while IFS=$'\t' read -r word rest; do
        [[ $word == :* ]] || COMPREPLY+=("$word")
    done < <(vbs complete -- "${'$'}{typed[@]}" 2>/dev/null)
}
complete -o default -F _vbs_complete vbs
`,
  zsh: String.raw`#compdef vbs
_vbs_complete() {
    local line word
    local -a found
    for line in "${'$'}{(@f)$(vbs complete -- "${'$'}{(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ $line == :* || -z $line ]] && continue
        word=${'$'}{line%%$'\t'*}
        found+=("${'$'}{word//:/\\:}:${'$'}{line#*$'\t'}")
    done
    _describe 'vbs' found || _files
}
compdef _vbs_complete vbs
`,
  fish: `# fish completion for vbs
function __vbs_complete
    set -l typed (commandline -opc) (commandline -ct)
    vbs complete -- $typed[2..-1] 2>/dev/null | string match -v -- ':*'
end
complete -c vbs -f -a '(__vbs_complete)'
`,
};

/** The script of a shell. */
export function scriptOf(shell: string): string {
  const script = scripts[shell];
  if (script === undefined) throw new TypeError(`there is no completion for ${shell}`);
  return script;
}
