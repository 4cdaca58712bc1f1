
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'samara' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'samara'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'samara' {
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region, such as eu-central-1')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of ~/.aws/config')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What is printed on standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Print what is done in detail, without secrets and bodies, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('deploy', 'deploy', [CompletionResultType]::ParameterValue, 'Deploy an application: upload its code, show what would change, change the stack, and shift the traffic to the new version safely')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Begin an application: a folder with template, code, unit test, event and README')
            [CompletionResult]::new('package', 'package', [CompletionResultType]::ParameterValue, 'Upload the code that a template names and write a template that names the uploads')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('sandbox', 'sandbox', [CompletionResultType]::ParameterValue, 'Run AWS on this machine: start, stop, look at or empty the project''s sandbox')
            [CompletionResult]::new('validate', 'validate', [CompletionResultType]::ParameterValue, 'Check a template without AWS: every problem at once, each with its line and how to mend it')
            break
        }
        'samara;deploy' {
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'The template [default: template.yaml, template.yml or template.json]')
            [CompletionResult]::new('--template-file', '--template-file', [CompletionResultType]::ParameterName, 'The template [default: template.yaml, template.yml or template.json]')
            [CompletionResult]::new('--template', '--template', [CompletionResultType]::ParameterName, 'The template [default: template.yaml, template.yml or template.json]')
            [CompletionResult]::new('--stack-name', '--stack-name', [CompletionResultType]::ParameterName, 'The stack''s name')
            [CompletionResult]::new('--parameter-overrides', '--parameter-overrides', [CompletionResultType]::ParameterName, 'Values of the template''s parameters: NAME=VALUE …, or file://values.toml')
            [CompletionResult]::new('--capabilities', '--capabilities', [CompletionResultType]::ParameterName, 'What the stack may contain: `CAPABILITY_IAM`, `CAPABILITY_NAMED_IAM`, `CAPABILITY_AUTO_EXPAND`')
            [CompletionResult]::new('--tags', '--tags', [CompletionResultType]::ParameterName, 'Tags of the stack: KEY=VALUE …')
            [CompletionResult]::new('--on-failure', '--on-failure', [CompletionResultType]::ParameterName, 'What to do when the stack fails')
            [CompletionResult]::new('--max-wait-duration', '--max-wait-duration', [CompletionResultType]::ParameterName, 'Minutes to wait for the stack [default: 60]')
            [CompletionResult]::new('--role-arn', '--role-arn', [CompletionResultType]::ParameterName, 'Role that CloudFormation works with')
            [CompletionResult]::new('--notification-arns', '--notification-arns', [CompletionResultType]::ParameterName, 'SNS topics that hear of the stack''s events')
            [CompletionResult]::new('--transform', '--transform', [CompletionResultType]::ParameterName, 'Who turns SAM resources into CloudFormation')
            [CompletionResult]::new('--strategy', '--strategy', [CompletionResultType]::ParameterName, 'How the traffic moves: `Canary10Percent5Minutes`, canary:5%:10m, linear:20%:2m, `AllAtOnce` …')
            [CompletionResult]::new('--s3-bucket', '--s3-bucket', [CompletionResultType]::ParameterName, 'Bucket for the code [default: samara''s own, made on first use]')
            [CompletionResult]::new('--s3-prefix', '--s3-prefix', [CompletionResultType]::ParameterName, 'What stands before every key')
            [CompletionResult]::new('--kms-key-id', '--kms-key-id', [CompletionResultType]::ParameterName, 'KMS key that encrypts the uploads at rest')
            [CompletionResult]::new('--metadata', '--metadata', [CompletionResultType]::ParameterName, 'Metadata of every upload: KEY=VALUE,… or a flat JSON object')
            [CompletionResult]::new('--include', '--include', [CompletionResultType]::ParameterName, 'Pack what looks like a secret or would be left out: a pattern in .gitignore''s syntax; repeatable')
            [CompletionResult]::new('--config-file', '--config-file', [CompletionResultType]::ParameterName, 'Configuration file, relative to the template''s folder [default: samconfig.toml]')
            [CompletionResult]::new('--config-env', '--config-env', [CompletionResultType]::ParameterName, 'Environment in the configuration file [default: default]')
            [CompletionResult]::new('--image-repository', '--image-repository', [CompletionResultType]::ParameterName, 'image-repository')
            [CompletionResult]::new('--image-repositories', '--image-repositories', [CompletionResultType]::ParameterName, 'image-repositories')
            [CompletionResult]::new('--signing-profiles', '--signing-profiles', [CompletionResultType]::ParameterName, 'signing-profiles')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region, such as eu-central-1')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of ~/.aws/config')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What is printed on standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Ask for everything that is needed, and save the answers to samconfig.toml')
            [CompletionResult]::new('--guided', '--guided', [CompletionResultType]::ParameterName, 'Ask for everything that is needed, and save the answers to samconfig.toml')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Check configuration, template and code; call nothing and change nothing')
            [CompletionResult]::new('--confirm-changeset', '--confirm-changeset', [CompletionResultType]::ParameterName, 'Ask before the change set is executed')
            [CompletionResult]::new('--no-confirm-changeset', '--no-confirm-changeset', [CompletionResultType]::ParameterName, 'no-confirm-changeset')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer yes to everything that would be asked')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer yes to everything that would be asked')
            [CompletionResult]::new('--no-execute-changeset', '--no-execute-changeset', [CompletionResultType]::ParameterName, 'Make the change set, show it and stop')
            [CompletionResult]::new('--fail-on-empty-changeset', '--fail-on-empty-changeset', [CompletionResultType]::ParameterName, 'fail-on-empty-changeset')
            [CompletionResult]::new('--no-fail-on-empty-changeset', '--no-fail-on-empty-changeset', [CompletionResultType]::ParameterName, 'Exit with 0, not 3, when there is nothing to change')
            [CompletionResult]::new('--disable-rollback', '--disable-rollback', [CompletionResultType]::ParameterName, 'Leave what was made when something fails, as --on-failure `DO_NOTHING` does')
            [CompletionResult]::new('--no-disable-rollback', '--no-disable-rollback', [CompletionResultType]::ParameterName, 'no-disable-rollback')
            [CompletionResult]::new('--express', '--express', [CompletionResultType]::ParameterName, 'CloudFormation''s Express mode: done once the configuration is applied; never with a rollout')
            [CompletionResult]::new('--no-express', '--no-express', [CompletionResultType]::ParameterName, 'no-express')
            [CompletionResult]::new('--no-rollout', '--no-rollout', [CompletionResultType]::ParameterName, 'Move all traffic with the stack''s update')
            [CompletionResult]::new('--resolve-s3', '--resolve-s3', [CompletionResultType]::ParameterName, 'Upload to samara''s own bucket, as it does without --s3-bucket')
            [CompletionResult]::new('--no-resolve-s3', '--no-resolve-s3', [CompletionResultType]::ParameterName, 'no-resolve-s3')
            [CompletionResult]::new('--force-upload', '--force-upload', [CompletionResultType]::ParameterName, 'Upload also what the bucket has already')
            [CompletionResult]::new('--allow-external-links', '--allow-external-links', [CompletionResultType]::ParameterName, 'Pack what links point at outside their code folder')
            [CompletionResult]::new('--no-progressbar', '--no-progressbar', [CompletionResultType]::ParameterName, 'Show no progress of uploads')
            [CompletionResult]::new('--save-params', '--save-params', [CompletionResultType]::ParameterName, 'Write the options of this command line into the configuration file')
            [CompletionResult]::new('--use-json', '--use-json', [CompletionResultType]::ParameterName, 'use-json')
            [CompletionResult]::new('--resolve-image-repos', '--resolve-image-repos', [CompletionResultType]::ParameterName, 'resolve-image-repos')
            [CompletionResult]::new('--language-extensions', '--language-extensions', [CompletionResultType]::ParameterName, 'language-extensions')
            [CompletionResult]::new('--no-language-extensions', '--no-language-extensions', [CompletionResultType]::ParameterName, 'no-language-extensions')
            [CompletionResult]::new('--beta-features', '--beta-features', [CompletionResultType]::ParameterName, 'beta-features')
            [CompletionResult]::new('--no-beta-features', '--no-beta-features', [CompletionResultType]::ParameterName, 'no-beta-features')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Print what is done in detail, without secrets and bodies, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'samara;init' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The same as NAME')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'The same as NAME')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'The template')
            [CompletionResult]::new('--template', '--template', [CompletionResultType]::ParameterName, 'The template')
            [CompletionResult]::new('--app-template', '--app-template', [CompletionResultType]::ParameterName, 'The template')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The folder in which the application''s own is made')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'The folder in which the application''s own is made')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region, such as eu-central-1')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of ~/.aws/config')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What is printed on standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Ask nothing; what is not given is python-api and samara-app')
            [CompletionResult]::new('--no-interactive', '--no-interactive', [CompletionResultType]::ParameterName, 'Ask nothing; what is not given is python-api and samara-app')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Print what is done in detail, without secrets and bodies, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'samara;package' {
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'The template [default: template.yaml, template.yml or template.json]')
            [CompletionResult]::new('--template-file', '--template-file', [CompletionResultType]::ParameterName, 'The template [default: template.yaml, template.yml or template.json]')
            [CompletionResult]::new('--template', '--template', [CompletionResultType]::ParameterName, 'The template [default: template.yaml, template.yml or template.json]')
            [CompletionResult]::new('--output-template-file', '--output-template-file', [CompletionResultType]::ParameterName, 'Where the packaged template is written [default: standard output]')
            [CompletionResult]::new('--s3-bucket', '--s3-bucket', [CompletionResultType]::ParameterName, 'The bucket to upload to [default: samara''s own, made on first use]')
            [CompletionResult]::new('--s3-prefix', '--s3-prefix', [CompletionResultType]::ParameterName, 'What stands before every key')
            [CompletionResult]::new('--kms-key-id', '--kms-key-id', [CompletionResultType]::ParameterName, 'KMS key that encrypts the uploads at rest [default: as the bucket has it]')
            [CompletionResult]::new('--metadata', '--metadata', [CompletionResultType]::ParameterName, 'Metadata of every upload: KEY=VALUE,… or a flat JSON object')
            [CompletionResult]::new('--include', '--include', [CompletionResultType]::ParameterName, 'Pack what looks like a secret or would be left out: a pattern in .gitignore''s syntax; repeatable')
            [CompletionResult]::new('--config-file', '--config-file', [CompletionResultType]::ParameterName, 'Configuration file, relative to the template''s folder [default: samconfig.toml]')
            [CompletionResult]::new('--config-env', '--config-env', [CompletionResultType]::ParameterName, 'Environment in the configuration file [default: default]')
            [CompletionResult]::new('--image-repository', '--image-repository', [CompletionResultType]::ParameterName, 'image-repository')
            [CompletionResult]::new('--image-repositories', '--image-repositories', [CompletionResultType]::ParameterName, 'image-repositories')
            [CompletionResult]::new('--signing-profiles', '--signing-profiles', [CompletionResultType]::ParameterName, 'signing-profiles')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region, such as eu-central-1')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of ~/.aws/config')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What is printed on standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--resolve-s3', '--resolve-s3', [CompletionResultType]::ParameterName, 'Upload to samara''s own bucket, as it does without --s3-bucket')
            [CompletionResult]::new('--no-resolve-s3', '--no-resolve-s3', [CompletionResultType]::ParameterName, 'no-resolve-s3')
            [CompletionResult]::new('--use-json', '--use-json', [CompletionResultType]::ParameterName, 'Write the packaged template as JSON')
            [CompletionResult]::new('--force-upload', '--force-upload', [CompletionResultType]::ParameterName, 'Upload also what the bucket has already')
            [CompletionResult]::new('--no-progressbar', '--no-progressbar', [CompletionResultType]::ParameterName, 'Show no progress')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Do everything local and call nothing')
            [CompletionResult]::new('--allow-external-links', '--allow-external-links', [CompletionResultType]::ParameterName, 'Pack what links point at outside their code folder')
            [CompletionResult]::new('--resolve-image-repos', '--resolve-image-repos', [CompletionResultType]::ParameterName, 'resolve-image-repos')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Print what is done in detail, without secrets and bodies, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'samara;completions' {
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region, such as eu-central-1')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of ~/.aws/config')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What is printed on standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Print what is done in detail, without secrets and bodies, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'samara;sandbox' {
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region, such as eu-central-1')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of ~/.aws/config')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What is printed on standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Print what is done in detail, without secrets and bodies, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('start', 'start', [CompletionResultType]::ParameterValue, 'Start it and return once it listens; print the environment variables that point clients at it')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'End it; its state stays')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Say whether it runs and where it listens')
            [CompletionResult]::new('reset', 'reset', [CompletionResultType]::ParameterValue, 'Delete everything in it; one that runs is started again, empty')
            break
        }
        'samara;sandbox;start' {
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Port on 127.0.0.1; 0 takes a free one')
            [CompletionResult]::new('--speed', '--speed', [CompletionResultType]::ParameterName, 'How many seconds of the sandbox''s clock one real second has')
            [CompletionResult]::new('--idle', '--idle', [CompletionResultType]::ParameterName, 'End it after so many minutes without a request; 0 never does')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region, such as eu-central-1')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of ~/.aws/config')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What is printed on standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--foreground', '--foreground', [CompletionResultType]::ParameterName, 'Stay in the foreground until Ctrl-C')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Print what is done in detail, without secrets and bodies, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'samara;sandbox;stop' {
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region, such as eu-central-1')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of ~/.aws/config')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What is printed on standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Print what is done in detail, without secrets and bodies, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'samara;sandbox;status' {
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region, such as eu-central-1')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of ~/.aws/config')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What is printed on standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Print what is done in detail, without secrets and bodies, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'samara;sandbox;reset' {
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region, such as eu-central-1')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of ~/.aws/config')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What is printed on standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Print what is done in detail, without secrets and bodies, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'samara;validate' {
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'The template [default: template.yaml, template.yml or template.json]')
            [CompletionResult]::new('--template-file', '--template-file', [CompletionResultType]::ParameterName, 'The template [default: template.yaml, template.yml or template.json]')
            [CompletionResult]::new('--template', '--template', [CompletionResultType]::ParameterName, 'The template [default: template.yaml, template.yml or template.json]')
            [CompletionResult]::new('--config-file', '--config-file', [CompletionResultType]::ParameterName, 'Configuration file, relative to the template''s folder [default: samconfig.toml]')
            [CompletionResult]::new('--config-env', '--config-env', [CompletionResultType]::ParameterName, 'Environment in the configuration file [default: default]')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region, such as eu-central-1')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of ~/.aws/config')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What is printed on standard output')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--no-files', '--no-files', [CompletionResultType]::ParameterName, 'Check the template alone, without the folders and files that it names')
            [CompletionResult]::new('--files', '--files', [CompletionResultType]::ParameterName, 'files')
            [CompletionResult]::new('--lint', '--lint', [CompletionResultType]::ParameterName, 'Accepted as `sam` has it: every rule is always on')
            [CompletionResult]::new('--language-extensions', '--language-extensions', [CompletionResultType]::ParameterName, 'language-extensions')
            [CompletionResult]::new('--no-language-extensions', '--no-language-extensions', [CompletionResultType]::ParameterName, 'no-language-extensions')
            [CompletionResult]::new('--beta-features', '--beta-features', [CompletionResultType]::ParameterName, 'beta-features')
            [CompletionResult]::new('--no-beta-features', '--no-beta-features', [CompletionResultType]::ParameterName, 'no-beta-features')
            [CompletionResult]::new('--save-params', '--save-params', [CompletionResultType]::ParameterName, 'Save the options of this command line to the configuration file')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Print what is done in detail, without secrets and bodies, on standard error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
