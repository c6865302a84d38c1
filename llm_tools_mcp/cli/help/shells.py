"""The scripts that make a shell ask us for completions.

click's own do not know `KEY=VALUE`: bash splits words at `=`, `:` and `@`, every key would be followed by a
space, and a file that is a part of a word is not found by zsh and fish.
"""

from __future__ import annotations

import os

from click.shell_completion import (
    BashComplete,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

# Bash replaces what follows the last of its word breaks, $2: of each answer only that part is its. It
# completes a file that is all of $2 by itself; to it, the @ of @FILE is a part of the name.
# Within quotes nothing is completed that would mean something there: it is a server's word, and would be run.
_BASH = """\
%(complete_func)s_files() {
    local file before=${2%%"$1"}
    if [[ -z $before || ($before == "$2" && -n $1) ]]; then
        compopt -o default
        return
    fi
    while read -r file; do
        [[ -d ${file/#\\~/$HOME} ]] && file+=/ && compopt -o nospace
        printf -v file %%q "$file"
        COMPREPLY+=("$before$file")
    done < <(compgen -f -- "$1")
}

%(complete_func)s() {
    local IFS=$'\\n' LLM_MCP_LINE=${COMP_LINE:0:COMP_POINT} type value
    local word=${LLM_MCP_LINE##*[[:space:]]}
    local before=${word%%"$2"}
    COMPREPLY=()
    while IFS=, read -r type value; do
        if [[ $type == dir ]]; then
            compopt -o dirnames
        elif [[ $type == file ]]; then
            %(complete_func)s_files "$value" "$2"
        elif [[ $type == plain ]]; then
            [[ $value == *= ]] && compopt -o nospace
            value=${value#"$before"}
            if [[ $word != *[\\"\\']* ]]; then
                printf -v value %%q "$value"
            elif [[ $value == *[\\"\\'\\$\\`\\\\!]* ]]; then
                continue
            fi
            COMPREPLY+=("$value")
        fi
    done < <(LLM_MCP_LINE=$LLM_MCP_LINE %(complete_var)s=bashline_complete "$1")
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

# A file is completed in what follows $before.
_ZSH = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local -a completions described response suffix
    local type key descr before
    (( ! $+commands[%(prog_name)s] )) && return 1

    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \
%(complete_var)s=zsh_complete %(prog_name)s)}")

    for type key descr in ${response}; do
        if [[ $type == plain ]]; then
            [[ $key == *= ]] && suffix=(-S '')
            if [[ $descr == _ ]]; then
                completions+=("$key")
            else
                described+=("$key:$descr")
            fi
        elif [[ $type == dir || $type == file ]]; then
            before=${PREFIX%%"$key"}
            IPREFIX+=$before
            PREFIX=${PREFIX#"$before"}
            if [[ $type == dir ]]; then _path_files -/; else _path_files -f; fi
        fi
    done

    (( $#described )) && _describe -V unsorted described -U "${suffix[@]}"
    (( $#completions )) && compadd -U -V unsorted "${suffix[@]}" -a completions
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

# Fish matches whole words, and itself puts no space after `=`.
_FISH = """\
function %(complete_func)s
    set -l word (commandline -ct)
    set -l response (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp) COMP_CWORD=$word \
%(prog_name)s)

    for completion in $response
        set -l metadata (string split --max 1 "," -- $completion)
        set -l before (string sub --length \
(math (string length -- "$word") - (string length -- "$metadata[2]")) -- "$word" 2>/dev/null)

        switch $metadata[1]
            case dir
                printf '%%s\\n' $before(__fish_complete_directories $metadata[2])
            case file
                printf '%%s\\n' $before(__fish_complete_path $metadata[2])
            case plain
                echo $metadata[2]
        end
    end
end

complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class _Bash(BashComplete):
    source_template = _BASH


@add_completion_class
class _BashLine(BashComplete):
    """Is sent the line up to the cursor, where click's own is sent words that bash has split."""

    name = "bashline"

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["LLM_MCP_LINE"]
        words = split_arg_string(line)[1:]
        return (words, "") if not words or line[-1].isspace() else (words[:-1], words[-1])


class _Zsh(ZshComplete):
    source_template = _ZSH


class _Fish(FishComplete):
    source_template = _FISH


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}
