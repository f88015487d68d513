#!/bin/sh
# await_poll.sh ARTIFACTS TASK: returns when an event is among the artifacts that says the task was polled; fails after a
# minute.
exec timeout 60 sh -c '
    until grep -rlsZ "\"event\": *\"runner_on_async_poll\"" "$1" | xargs -0 -r cat | grep -q "\"task\": *\"$2\""; do
        sleep 0.05
    done
' await_poll "$@"
