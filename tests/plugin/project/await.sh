#!/bin/sh
# await.sh EVENT TASK HOST: returns when the run has written that event of the task on the host; fails after a minute.
export EVENTS
exec timeout 60 sh -c '
    until grep "\"event\":\"$1\"" "$EVENTS" | grep "\"task\":\"$2\"" | grep -q "\"host\":\"$3\""; do
        sleep 0.05
    done
' await "$@"
