#!/bin/sh
# Unit tests of the job: sh tests/job_test.sh
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
. "${root}/job/job.sh"

answer=$(GREETING=Moin run <"${root}/events/event.json" 2>/dev/null)
if [ "${answer}" != '{"message": "Moin"}' ]; then
    echo "FAILED: the example event gave ${answer}" >&2
    exit 1
fi

if echo '{}' | run >/dev/null 2>&1; then
    echo "FAILED: an event without a time was taken" >&2
    exit 1
fi

echo "ok"
