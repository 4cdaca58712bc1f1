# The job: gets the event on standard input, prints its answer as JSON, writes its log to standard
# error. A status other than 0 is a failed invocation.

run() {
    event=$(cat)
    time=$(printf '%s' "${event}" | sed -n 's/.*"time": *"\([^"]*\)".*/\1/p' | head -n 1)
    if [ -z "${time}" ]; then
        echo "the event has no time" >&2
        return 1
    fi
    echo "${GREETING:-Hello}, it is ${time}" >&2
    printf '{"message": "%s"}\n' "${GREETING:-Hello}"
}
