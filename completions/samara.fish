# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_samara_global_optspecs
    string join \n region= profile= sandbox output= color= debug h/help V/version
end

function __fish_samara_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_samara_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_samara_using_subcommand
    set -l cmd (__fish_samara_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c samara -n "__fish_samara_needs_command" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_needs_command" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_needs_command" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_needs_command" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_needs_command" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_needs_command" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_needs_command" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c samara -n "__fish_samara_using_subcommand completions" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand completions" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand completions" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand completions" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand completions" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand completions" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand completions" -s V -l version -d 'Print version'
