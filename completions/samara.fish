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
complete -c samara -n "__fish_samara_needs_command" -f -a "init" -d 'Begin an application: a folder with template, code, unit test, event and README'
complete -c samara -n "__fish_samara_needs_command" -f -a "validate" -d 'Check a template without AWS: every problem at once, each with its line and how to mend it'
complete -c samara -n "__fish_samara_needs_command" -f -a "transform" -d 'Print the plain CloudFormation that a SAM template stands for'
complete -c samara -n "__fish_samara_needs_command" -f -a "package" -d 'Upload the code that a template names and write a template that names the uploads'
complete -c samara -n "__fish_samara_needs_command" -f -a "deploy" -d 'Deploy an application: upload its code, show what would change, change the stack, and shift the traffic to the new version safely'
complete -c samara -n "__fish_samara_needs_command" -f -a "diff" -d 'Show what a template would change in its stack, without making a change set'
complete -c samara -n "__fish_samara_needs_command" -f -a "rollout" -d 'Shift an alias\'s traffic to another version step by step, judged all the time, and back by itself'
complete -c samara -n "__fish_samara_needs_command" -f -a "rehearse" -d 'Rehearse a release in a fresh sandbox: a version goes live, a worse one is taken back by its canary, a good one goes to 100 %'
complete -c samara -n "__fish_samara_needs_command" -f -a "sandbox" -d 'Run AWS on this machine: start, stop, look at or empty the project\'s sandbox'
complete -c samara -n "__fish_samara_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c samara -n "__fish_samara_using_subcommand init" -s n -l name -d 'The same as NAME' -r
complete -c samara -n "__fish_samara_using_subcommand init" -s t -l template -l app-template -d 'The template' -r
complete -c samara -n "__fish_samara_using_subcommand init" -s o -l output-dir -d 'The folder in which the application\'s own is made' -r -F
complete -c samara -n "__fish_samara_using_subcommand init" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand init" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand init" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand init" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand init" -l no-input -l no-interactive -d 'Ask nothing; what is not given is python-api and samara-app'
complete -c samara -n "__fish_samara_using_subcommand init" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand init" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand init" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand validate" -s t -l template-file -l template -d 'The template [default: template.yaml, template.yml or template.json]' -r
complete -c samara -n "__fish_samara_using_subcommand validate" -l config-file -d 'Configuration file, relative to the template\'s folder [default: samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand validate" -l config-env -d 'Environment in the configuration file [default: default]' -r
complete -c samara -n "__fish_samara_using_subcommand validate" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand validate" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand validate" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand validate" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand validate" -l no-files -d 'Check the template alone, without the folders and files that it names'
complete -c samara -n "__fish_samara_using_subcommand validate" -l files
complete -c samara -n "__fish_samara_using_subcommand validate" -l lint -d 'Accepted as `sam` has it: every rule is always on'
complete -c samara -n "__fish_samara_using_subcommand validate" -l language-extensions
complete -c samara -n "__fish_samara_using_subcommand validate" -l no-language-extensions
complete -c samara -n "__fish_samara_using_subcommand validate" -l beta-features
complete -c samara -n "__fish_samara_using_subcommand validate" -l no-beta-features
complete -c samara -n "__fish_samara_using_subcommand validate" -l save-params -d 'Save the options of this command line to the configuration file'
complete -c samara -n "__fish_samara_using_subcommand validate" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand validate" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand validate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand validate" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand transform" -s t -l template-file -l template -d 'The template, or - for standard input [default: template.yaml, template.yml or template.json]' -r
complete -c samara -n "__fish_samara_using_subcommand transform" -l parameter-overrides -d 'Values of the template\'s parameters: NAME=VALUE …, or file://values.toml' -r
complete -c samara -n "__fish_samara_using_subcommand transform" -l explain -d 'Say what made a resource of the result: file, line and rule' -r
complete -c samara -n "__fish_samara_using_subcommand transform" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand transform" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand transform" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand transform" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand transform" -l placeholder-uris -d 'Put s3://bucket/value where the template names local code, to transform it unpackaged'
complete -c samara -n "__fish_samara_using_subcommand transform" -l disable-deployment-preference -d 'Leave CodeDeploy out, as with DeploymentPreference Enabled: false; samara\'s own rollouts do'
complete -c samara -n "__fish_samara_using_subcommand transform" -l compare-with-aws -d 'Have CloudFormation transform the template too, and show where the results differ: a change set of a stack that does not exist is made in your account, read, and deleted'
complete -c samara -n "__fish_samara_using_subcommand transform" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand transform" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand transform" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand transform" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand package" -s t -l template-file -l template -d 'The template [default: template.yaml, template.yml or template.json]' -r
complete -c samara -n "__fish_samara_using_subcommand package" -l output-template-file -d 'Where the packaged template is written [default: standard output]' -r -F
complete -c samara -n "__fish_samara_using_subcommand package" -l s3-bucket -d 'The bucket to upload to [default: samara\'s own, made on first use]' -r
complete -c samara -n "__fish_samara_using_subcommand package" -l s3-prefix -d 'What stands before every key' -r
complete -c samara -n "__fish_samara_using_subcommand package" -l kms-key-id -d 'KMS key that encrypts the uploads at rest [default: as the bucket has it]' -r
complete -c samara -n "__fish_samara_using_subcommand package" -l metadata -d 'Metadata of every upload: KEY=VALUE,… or a flat JSON object' -r
complete -c samara -n "__fish_samara_using_subcommand package" -l include -d 'Pack what looks like a secret or would be left out: a pattern in .gitignore\'s syntax; repeatable' -r
complete -c samara -n "__fish_samara_using_subcommand package" -l config-file -d 'Configuration file, relative to the template\'s folder [default: samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand package" -l config-env -d 'Environment in the configuration file [default: default]' -r
complete -c samara -n "__fish_samara_using_subcommand package" -l image-repository -r
complete -c samara -n "__fish_samara_using_subcommand package" -l image-repositories -r
complete -c samara -n "__fish_samara_using_subcommand package" -l signing-profiles -r
complete -c samara -n "__fish_samara_using_subcommand package" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand package" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand package" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand package" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand package" -l resolve-s3 -d 'Upload to samara\'s own bucket, as it does without --s3-bucket'
complete -c samara -n "__fish_samara_using_subcommand package" -l no-resolve-s3
complete -c samara -n "__fish_samara_using_subcommand package" -l use-json -d 'Write the packaged template as JSON'
complete -c samara -n "__fish_samara_using_subcommand package" -l force-upload -d 'Upload also what the bucket has already'
complete -c samara -n "__fish_samara_using_subcommand package" -l no-progressbar -d 'Show no progress'
complete -c samara -n "__fish_samara_using_subcommand package" -l dry-run -d 'Do everything local and call nothing'
complete -c samara -n "__fish_samara_using_subcommand package" -l allow-external-links -d 'Pack what links point at outside their code folder'
complete -c samara -n "__fish_samara_using_subcommand package" -l resolve-image-repos
complete -c samara -n "__fish_samara_using_subcommand package" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand package" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand package" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand package" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand deploy" -s t -l template-file -l template -d 'The template [default: template.yaml, template.yml or template.json]' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l stack-name -d 'The stack\'s name' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l parameter-overrides -d 'Values of the template\'s parameters: NAME=VALUE …, or file://values.toml' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l capabilities -d 'What the stack may contain: `CAPABILITY_IAM`, `CAPABILITY_NAMED_IAM`, `CAPABILITY_AUTO_EXPAND`' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l tags -d 'Tags of the stack: KEY=VALUE …' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l on-failure -d 'What to do when the stack fails' -r -f -a "ROLLBACK\t'Go back'
DELETE\t'Go back, and delete a stack that was new'
DO_NOTHING\t'Leave what was made'"
complete -c samara -n "__fish_samara_using_subcommand deploy" -l max-wait-duration -d 'Minutes to wait for the stack [default: 60]' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l role-arn -d 'Role that CloudFormation works with' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l notification-arns -d 'SNS topics that hear of the stack\'s events' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l transform -d 'Who turns SAM resources into CloudFormation' -r -f -a "native\t'samara, before the change set is made'
aws\t'CloudFormation, through the change set; for what samara does not cover'"
complete -c samara -n "__fish_samara_using_subcommand deploy" -l engine -d 'Who moves the traffic [default: auto]' -r -f -a "auto\t'What the live stack has; a new one takes codedeploy where it needs it'
alias\t'samara moves the weight of the alias itself'
codedeploy\t'CodeDeploy moves it during the stack\'s update, as the template says; samara watches and stops it'"
complete -c samara -n "__fish_samara_using_subcommand deploy" -l strategy -d 'AllAtOnce, Canary10Percent5Minutes, Linear10PercentEvery1Minute, …, canary:5%:10m, linear:20%:2m, steps:1%:5m,10%:10m,pause,50%:10m or codedeploy:NAME, a deployment configuration of the account [default: Canary10Percent5Minutes]' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l alarm -d 'CloudWatch alarm that takes it back; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l ignore-alarm -d 'Alarm that may be in ALARM at the start and counts once it has been OK; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l limit -d 'Bound on the new version: errors=1%, throttles=1%, spillover=1%, async-dropped=1%, dead-letter-errors=1%, slower:800ms=5%, iterator-age:60s=5% or NAMESPACE/METRIC?DIMENSION=VALUE=1%; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l metric -d 'Custom metric that the versions are compared by, with {version} in a dimension\'s value: Shop/Failures?version={version}; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l bake -d 'How long it is watched at 100 % [default: 5m]' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l min-requests -d 'Requests that the new version has to serve before more is given to it [default: 30]' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l max-hold -d 'The longest wait for these requests [default: 30m]' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l on-no-data -d 'What happens when they do not come [default: hold]' -r -f -a "hold\t'Stop at this weight and wait for a person'
continue\t'Go on'
rollback\t'Go back'"
complete -c samara -n "__fish_samara_using_subcommand deploy" -l on-metrics-outage -d 'What happens when CloudWatch cannot be read for 15 minutes [default: rollback]' -r -f -a "rollback\t'Go back'
hold\t'Stay at this weight until it can be read again'
continue\t'Go on without'"
complete -c samara -n "__fish_samara_using_subcommand deploy" -l timeout -d 'Take it back when it is not done after this time' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l pre-traffic -d 'Check the new version before any traffic: a function, cmd:COMMAND or events:FOLDER; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l post-traffic -d 'Check it after the bake, in the same forms; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l warm-up -d 'Invoke the new version so often before any traffic' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l warm-up-event -d 'JSON file with the event of the warm-up [default: {}]' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l on-interrupt -d 'What Ctrl-C and SIGTERM do during the rollout [default: ask on a terminal, else rollback]' -r -f -a "rollback\t'Take it back'
hold\t'Leave the weight as it is, to be resumed'
ask\t'Ask, on a terminal; else take it back'"
complete -c samara -n "__fish_samara_using_subcommand deploy" -l report -d 'Write an HTML page about the rollout when it has ended, however it ended' -r -F
complete -c samara -n "__fish_samara_using_subcommand deploy" -l notify -d 'Run a command at each transition: JSON on its standard input, facts in SAMARA_… variables; no shell, at most 30 s, and its failure is only a warning' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l s3-bucket -d 'Bucket for the code [default: samara\'s own, made on first use]' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l s3-prefix -d 'What stands before every key' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l kms-key-id -d 'KMS key that encrypts the uploads at rest' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l metadata -d 'Metadata of every upload: KEY=VALUE,… or a flat JSON object' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l include -d 'Pack what looks like a secret or would be left out: a pattern in .gitignore\'s syntax; repeatable' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l config-file -d 'Configuration file, relative to the template\'s folder [default: samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l config-env -d 'Environment in the configuration file [default: default]' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l image-repository -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l image-repositories -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l signing-profiles -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand deploy" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand deploy" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand deploy" -s g -l guided -d 'Ask for everything that is needed, and save the answers to samconfig.toml'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l dry-run -d 'Check configuration, template and code; call nothing and change nothing'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l confirm-changeset -d 'Ask before the change set is executed'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l no-confirm-changeset
complete -c samara -n "__fish_samara_using_subcommand deploy" -s y -l yes -d 'Answer yes to everything that would be asked and has no option of its own'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l accept-changes-in-use -d 'Allow changes of what the version that serves still uses, such as its role; --yes does not'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l delete-orphan-version -d 'Delete a version that a failed deploy left in the way, when no alias uses it'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l no-execute-changeset -d 'Make the change set, show it and stop'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l fail-on-empty-changeset
complete -c samara -n "__fish_samara_using_subcommand deploy" -l no-fail-on-empty-changeset -d 'Exit with 0, not 3, when there is nothing to change'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l disable-rollback -d 'Leave what was made when something fails, as --on-failure `DO_NOTHING` does'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l no-disable-rollback
complete -c samara -n "__fish_samara_using_subcommand deploy" -l express -d 'CloudFormation\'s Express mode: done once the configuration is applied; never with a rollout'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l no-express
complete -c samara -n "__fish_samara_using_subcommand deploy" -l no-rollout -d 'Move all traffic with the stack\'s update'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l force -d 'Deploy and roll out again what was rolled back before'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l no-bake -d 'Do not watch it at 100 %'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l probe-permission -d 'Write the alias unchanged first, to prove that it may be written'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l observe-only -d 'Judge by the metrics and say so, but never go back for it; alarms still count'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l resolve-s3 -d 'Upload to samara\'s own bucket, as it does without --s3-bucket'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l no-resolve-s3
complete -c samara -n "__fish_samara_using_subcommand deploy" -l force-upload -d 'Upload also what the bucket has already'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l allow-external-links -d 'Pack what links point at outside their code folder'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l no-progressbar -d 'Show no progress of uploads'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l save-params -d 'Write the options of this command line into the configuration file'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l use-json
complete -c samara -n "__fish_samara_using_subcommand deploy" -l resolve-image-repos
complete -c samara -n "__fish_samara_using_subcommand deploy" -l language-extensions
complete -c samara -n "__fish_samara_using_subcommand deploy" -l no-language-extensions
complete -c samara -n "__fish_samara_using_subcommand deploy" -l beta-features
complete -c samara -n "__fish_samara_using_subcommand deploy" -l no-beta-features
complete -c samara -n "__fish_samara_using_subcommand deploy" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand deploy" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand deploy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand deploy" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand diff" -s t -l template-file -l template -d 'The template [default: template.yaml, template.yml or template.json]' -r
complete -c samara -n "__fish_samara_using_subcommand diff" -l stack-name -d 'The stack\'s name' -r
complete -c samara -n "__fish_samara_using_subcommand diff" -l parameter-overrides -d 'Values of the template\'s parameters: NAME=VALUE …; the stack\'s own hold for the others' -r
complete -c samara -n "__fish_samara_using_subcommand diff" -l s3-bucket -d 'The bucket that `deploy` uploads code to [default: samara\'s own]' -r
complete -c samara -n "__fish_samara_using_subcommand diff" -l s3-prefix -d 'The prefix of the code\'s keys in it' -r
complete -c samara -n "__fish_samara_using_subcommand diff" -l config-file -d 'Configuration file, relative to the template\'s folder [default: samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand diff" -l config-env -d 'Environment in the configuration file [default: default]' -r
complete -c samara -n "__fish_samara_using_subcommand diff" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand diff" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand diff" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand diff" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand diff" -l exit-code -d 'End with status 1 when something differs, and with 2 when that cannot be told'
complete -c samara -n "__fish_samara_using_subcommand diff" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand diff" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand diff" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -f -a "plan" -d 'Say what a rollout would do: weights, earliest times, what judges it; changes nothing'
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -f -a "start" -d 'Shift the alias to another version, and take it back when that is worse'
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -f -a "status" -d 'Show the alias, the rollout under way and the last ones'
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -f -a "watch" -d 'Follow a rollout that is driven here or elsewhere, live on a terminal'
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -f -a "pause" -d 'Stop a rollout at the weight that it has, whoever drives it'
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -f -a "resume" -d 'Carry on a rollout where a process left it'
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -f -a "promote" -d 'Carry on a rollout over the pause that it waits at'
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -f -a "abort" -d 'Take a rollout under way back to the old version'
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -f -a "retry" -d 'Try again a version that was rolled back'
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -f -a "history" -d 'Show the finished rollouts of an alias, the newest first, with verdict, evidence and times'
complete -c samara -n "__fish_samara_using_subcommand rollout; and not __fish_seen_subcommand_from plan start status watch pause resume promote abort retry history rollback" -f -a "rollback" -d 'Go back to the version that served before, in one write of the alias'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l function -d 'Function, by name or ARN' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l alias -d 'Alias of the function' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l stack-name -d 'Stack whose alias it is [default: that of samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l journal-bucket -d 'Bucket for the journal, in place of the managed one' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l config-file -d 'Configuration file [default: samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l config-env -d 'Environment in the configuration file [default: default]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l to-version -d 'Version that is to serve [default: the newest published one]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l strategy -d 'AllAtOnce, Canary10Percent5Minutes, Linear10PercentEvery1Minute, …, canary:5%:10m, linear:20%:2m, steps:1%:5m,10%:10m,pause,50%:10m or codedeploy:NAME, a deployment configuration of the account [default: Canary10Percent5Minutes]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l alarm -d 'CloudWatch alarm that takes it back; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l ignore-alarm -d 'Alarm that may be in ALARM at the start and counts once it has been OK; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l limit -d 'Bound on the new version: errors=1%, throttles=1%, spillover=1%, async-dropped=1%, dead-letter-errors=1%, slower:800ms=5%, iterator-age:60s=5% or NAMESPACE/METRIC?DIMENSION=VALUE=1%; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l metric -d 'Custom metric that the versions are compared by, with {version} in a dimension\'s value: Shop/Failures?version={version}; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l bake -d 'How long it is watched at 100 % [default: 5m]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l min-requests -d 'Requests that the new version has to serve before more is given to it [default: 30]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l max-hold -d 'The longest wait for these requests [default: 30m]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l on-no-data -d 'What happens when they do not come [default: hold]' -r -f -a "hold\t'Stop at this weight and wait for a person'
continue\t'Go on'
rollback\t'Go back'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l on-metrics-outage -d 'What happens when CloudWatch cannot be read for 15 minutes [default: rollback]' -r -f -a "rollback\t'Go back'
hold\t'Stay at this weight until it can be read again'
continue\t'Go on without'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l timeout -d 'Take it back when it is not done after this time' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l pre-traffic -d 'Check the new version before any traffic: a function, cmd:COMMAND or events:FOLDER; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l post-traffic -d 'Check it after the bake, in the same forms; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l warm-up -d 'Invoke the new version so often before any traffic' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l warm-up-event -d 'JSON file with the event of the warm-up [default: {}]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l on-interrupt -d 'What Ctrl-C and SIGTERM do [default: ask on a terminal, else rollback]' -r -f -a "rollback\t'Take it back'
hold\t'Leave the weight as it is, to be resumed'
ask\t'Ask, on a terminal; else take it back'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l report -d 'Write an HTML page about the rollout when it has ended, however it ended' -r -F
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l notify -d 'Run a command at each transition: JSON on its standard input, facts in SAMARA_… variables; no shell, at most 30 s, and its failure is only a warning' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l no-bake -d 'Do not watch it at 100 %'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l probe-permission -d 'Write the alias unchanged first, to prove that it may be written'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l observe-only -d 'Judge by the metrics and say so, but never go back for it; alarms still count'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l no-wait -d 'Return when the first step is set, with the command that carries on; it exits with 0'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from plan" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l function -d 'Function, by name or ARN' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l alias -d 'Alias of the function' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l stack-name -d 'Stack whose alias it is [default: that of samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l journal-bucket -d 'Bucket for the journal, in place of the managed one' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l config-file -d 'Configuration file [default: samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l config-env -d 'Environment in the configuration file [default: default]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l to-version -d 'Version that is to serve [default: the newest published one]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l strategy -d 'AllAtOnce, Canary10Percent5Minutes, Linear10PercentEvery1Minute, …, canary:5%:10m, linear:20%:2m, steps:1%:5m,10%:10m,pause,50%:10m or codedeploy:NAME, a deployment configuration of the account [default: Canary10Percent5Minutes]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l alarm -d 'CloudWatch alarm that takes it back; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l ignore-alarm -d 'Alarm that may be in ALARM at the start and counts once it has been OK; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l limit -d 'Bound on the new version: errors=1%, throttles=1%, spillover=1%, async-dropped=1%, dead-letter-errors=1%, slower:800ms=5%, iterator-age:60s=5% or NAMESPACE/METRIC?DIMENSION=VALUE=1%; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l metric -d 'Custom metric that the versions are compared by, with {version} in a dimension\'s value: Shop/Failures?version={version}; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l bake -d 'How long it is watched at 100 % [default: 5m]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l min-requests -d 'Requests that the new version has to serve before more is given to it [default: 30]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l max-hold -d 'The longest wait for these requests [default: 30m]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l on-no-data -d 'What happens when they do not come [default: hold]' -r -f -a "hold\t'Stop at this weight and wait for a person'
continue\t'Go on'
rollback\t'Go back'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l on-metrics-outage -d 'What happens when CloudWatch cannot be read for 15 minutes [default: rollback]' -r -f -a "rollback\t'Go back'
hold\t'Stay at this weight until it can be read again'
continue\t'Go on without'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l timeout -d 'Take it back when it is not done after this time' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l pre-traffic -d 'Check the new version before any traffic: a function, cmd:COMMAND or events:FOLDER; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l post-traffic -d 'Check it after the bake, in the same forms; may be repeated' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l warm-up -d 'Invoke the new version so often before any traffic' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l warm-up-event -d 'JSON file with the event of the warm-up [default: {}]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l on-interrupt -d 'What Ctrl-C and SIGTERM do [default: ask on a terminal, else rollback]' -r -f -a "rollback\t'Take it back'
hold\t'Leave the weight as it is, to be resumed'
ask\t'Ask, on a terminal; else take it back'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l report -d 'Write an HTML page about the rollout when it has ended, however it ended' -r -F
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l notify -d 'Run a command at each transition: JSON on its standard input, facts in SAMARA_… variables; no shell, at most 30 s, and its failure is only a warning' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l no-bake -d 'Do not watch it at 100 %'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l probe-permission -d 'Write the alias unchanged first, to prove that it may be written'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l observe-only -d 'Judge by the metrics and say so, but never go back for it; alarms still count'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l no-wait -d 'Return when the first step is set, with the command that carries on; it exits with 0'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from start" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from status" -l function -d 'Function, by name or ARN' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from status" -l alias -d 'Alias of the function' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from status" -l stack-name -d 'Stack whose alias it is [default: that of samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from status" -l journal-bucket -d 'Bucket for the journal, in place of the managed one' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from status" -l config-file -d 'Configuration file [default: samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from status" -l config-env -d 'Environment in the configuration file [default: default]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from status" -l timeout -d 'Wait so long for the end' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from status" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from status" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from status" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from status" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from status" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from status" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from status" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from watch" -l function -d 'Function, by name or ARN' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from watch" -l alias -d 'Alias of the function' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from watch" -l stack-name -d 'Stack whose alias it is [default: that of samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from watch" -l journal-bucket -d 'Bucket for the journal, in place of the managed one' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from watch" -l config-file -d 'Configuration file [default: samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from watch" -l config-env -d 'Environment in the configuration file [default: default]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from watch" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from watch" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from watch" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from watch" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from watch" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from watch" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from watch" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from pause" -l function -d 'Function, by name or ARN' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from pause" -l alias -d 'Alias of the function' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from pause" -l stack-name -d 'Stack whose alias it is [default: that of samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from pause" -l journal-bucket -d 'Bucket for the journal, in place of the managed one' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from pause" -l config-file -d 'Configuration file [default: samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from pause" -l config-env -d 'Environment in the configuration file [default: default]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from pause" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from pause" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from pause" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from pause" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from pause" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from pause" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from pause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from pause" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l function -d 'Function, by name or ARN' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l alias -d 'Alias of the function' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l stack-name -d 'Stack whose alias it is [default: that of samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l journal-bucket -d 'Bucket for the journal, in place of the managed one' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l config-file -d 'Configuration file [default: samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l config-env -d 'Environment in the configuration file [default: default]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l timeout -d 'Take it back when it is not done after this time' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l on-interrupt -d 'What Ctrl-C and SIGTERM do [default: ask on a terminal, else rollback]' -r -f -a "rollback\t'Take it back'
hold\t'Leave the weight as it is, to be resumed'
ask\t'Ask, on a terminal; else take it back'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l report -d 'Write an HTML page about the rollout when it has ended, however it ended' -r -F
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l notify -d 'Run a command at each transition: JSON on its standard input, facts in SAMARA_… variables; no shell, at most 30 s, and its failure is only a warning' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l adopt -d 'Accept what somebody else made of the alias, and go on from there'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l no-wait -d 'Do what is due now and return, for a timer that calls this again'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from resume" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l function -d 'Function, by name or ARN' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l alias -d 'Alias of the function' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l stack-name -d 'Stack whose alias it is [default: that of samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l journal-bucket -d 'Bucket for the journal, in place of the managed one' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l config-file -d 'Configuration file [default: samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l config-env -d 'Environment in the configuration file [default: default]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l timeout -d 'Take it back when it is not done after this time' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l on-interrupt -d 'What Ctrl-C and SIGTERM do [default: ask on a terminal, else rollback]' -r -f -a "rollback\t'Take it back'
hold\t'Leave the weight as it is, to be resumed'
ask\t'Ask, on a terminal; else take it back'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l report -d 'Write an HTML page about the rollout when it has ended, however it ended' -r -F
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l notify -d 'Run a command at each transition: JSON on its standard input, facts in SAMARA_… variables; no shell, at most 30 s, and its failure is only a warning' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l full -d 'To the whole traffic now, over all steps that are left'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from promote" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l function -d 'Function, by name or ARN' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l alias -d 'Alias of the function' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l stack-name -d 'Stack whose alias it is [default: that of samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l journal-bucket -d 'Bucket for the journal, in place of the managed one' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l config-file -d 'Configuration file [default: samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l config-env -d 'Environment in the configuration file [default: default]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l timeout -d 'Take it back when it is not done after this time' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l on-interrupt -d 'What Ctrl-C and SIGTERM do [default: ask on a terminal, else rollback]' -r -f -a "rollback\t'Take it back'
hold\t'Leave the weight as it is, to be resumed'
ask\t'Ask, on a terminal; else take it back'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l report -d 'Write an HTML page about the rollout when it has ended, however it ended' -r -F
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l notify -d 'Run a command at each transition: JSON on its standard input, facts in SAMARA_… variables; no shell, at most 30 s, and its failure is only a warning' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l force -d 'Put the alias wholly on the old version although somebody else changed it; says what it overwrites'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from abort" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l function -d 'Function, by name or ARN' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l alias -d 'Alias of the function' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l stack-name -d 'Stack whose alias it is [default: that of samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l journal-bucket -d 'Bucket for the journal, in place of the managed one' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l config-file -d 'Configuration file [default: samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l config-env -d 'Environment in the configuration file [default: default]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l strategy -d 'Another strategy than the last time' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l timeout -d 'Take it back when it is not done after this time' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l on-interrupt -d 'What Ctrl-C and SIGTERM do [default: ask on a terminal, else rollback]' -r -f -a "rollback\t'Take it back'
hold\t'Leave the weight as it is, to be resumed'
ask\t'Ask, on a terminal; else take it back'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l report -d 'Write an HTML page about the rollout when it has ended, however it ended' -r -F
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l notify -d 'Run a command at each transition: JSON on its standard input, facts in SAMARA_… variables; no shell, at most 30 s, and its failure is only a warning' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -s y -l yes -d 'Yes, although it was rolled back'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l no-wait -d 'Return when the first step is set, with the command that carries on; it exits with 0'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from retry" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from history" -l function -d 'Function, by name or ARN' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from history" -l alias -d 'Alias of the function' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from history" -l stack-name -d 'Stack whose alias it is [default: that of samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from history" -l journal-bucket -d 'Bucket for the journal, in place of the managed one' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from history" -l config-file -d 'Configuration file [default: samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from history" -l config-env -d 'Environment in the configuration file [default: default]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from history" -l limit -d 'How many are shown at most' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from history" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from history" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from history" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from history" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from history" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from history" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from history" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -l function -d 'Function, by name or ARN' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -l alias -d 'Alias of the function' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -l stack-name -d 'Stack whose alias it is [default: that of samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -l journal-bucket -d 'Bucket for the journal, in place of the managed one' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -l config-file -d 'Configuration file [default: samconfig.toml]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -l config-env -d 'Environment in the configuration file [default: default]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -l to-version -d 'Version to go back to [default: the one that served before the last rollout]' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -l pin -d 'Bring the stack\'s template to that version too, without asking'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand rollout; and __fish_seen_subcommand_from rollback" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand rehearse" -l strategy -d 'How the traffic moves, instead of what the template says' -r
complete -c samara -n "__fish_samara_using_subcommand rehearse" -l rate -d 'Requests in each second of the sandbox\'s clock' -r
complete -c samara -n "__fish_samara_using_subcommand rehearse" -l errors -d 'How many percent of the worse version\'s requests fail' -r
complete -c samara -n "__fish_samara_using_subcommand rehearse" -l speed -d 'Sandbox seconds in each real second' -r
complete -c samara -n "__fish_samara_using_subcommand rehearse" -l seed -d 'Seed of everything random' -r
complete -c samara -n "__fish_samara_using_subcommand rehearse" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand rehearse" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand rehearse" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand rehearse" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand rehearse" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand rehearse" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand rehearse" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand rehearse" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status reset" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status reset" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status reset" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status reset" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status reset" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status reset" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status reset" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status reset" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status reset" -f -a "start" -d 'Start it and return once it listens; print the environment variables that point clients at it'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status reset" -f -a "stop" -d 'End it; its state stays'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status reset" -f -a "status" -d 'Say whether it runs and where it listens; exit status 1 when it does not'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status reset" -f -a "reset" -d 'Delete everything in it; one that runs is started again, empty'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l port -d 'Port on 127.0.0.1; 0 takes a free one' -r
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l speed -d 'How many seconds of the sandbox\'s clock one real second has' -r
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l idle -d 'End it after so many minutes without a request; 0 never does' -r
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l foreground -d 'Stay in the foreground until Ctrl-C'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from start" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from start" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from status" -s V -l version -d 'Print version'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l region -d 'AWS region, such as eu-central-1' -r
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l profile -d 'Profile of ~/.aws/config' -r
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l output -d 'What is printed on standard output' -r -f -a "text\t'For people'
json\t'For programs: JSON and nothing else'"
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l sandbox -d 'Use the project\'s own sandbox under .samara/ instead of an AWS account; started when needed'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l debug -d 'Print what is done in detail, without secrets and bodies, on standard error'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c samara -n "__fish_samara_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -s V -l version -d 'Print version'
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
