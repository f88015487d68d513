#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# start.sh SURVEY PROGRAM ARGUMENT …: run the survey with the Python of PROGRAM, which is ansible-playbook or ansible.
# The exit status is 3 if PROGRAM is not written in Python, and 127 if there is no such program.
survey=$1 program=$2
shift 2
case $program in
*/*) ;;
*) program=$(command -v -- "$program") || exit 127 ;;
esac
{
    IFS= read -r first
    IFS= read -r second
} <"$program"
case $first in
'#!/bin/sh')
    # Where the path of the Python is too long for a first line, or contains a space, pip and uv write a shell script
    # whose second line names it.
    case $second in
    "'''exec' "*' "$0" "$@"')
        python=${second#"'''exec' "}
        python=${python%' "$0" "$@"'}
        python=${python#[\"\']}
        python=${python%[\"\']}
        exec "$python" "$survey" "$program" "$@"
        ;;
    esac
    ;;
'#!'*python*)
    set -f
    exec ${first#'#!'} "$survey" "$program" "$@"
    ;;
esac
exit 3
