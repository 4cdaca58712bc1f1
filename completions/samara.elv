
use builtin;
use str;

set edit:completion:arg-completer[samara] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'samara'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'samara'= {
            cand --region 'AWS region, such as eu-central-1'
            cand --profile 'Profile of ~/.aws/config'
            cand --output 'What is printed on standard output'
            cand --color 'When to use colours'
            cand --sandbox 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed'
            cand --debug 'Print what is done in detail, without secrets and bodies, on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand package 'Upload the code that a template names and write a template that names the uploads'
            cand completions 'Print the completion script of a shell'
            cand sandbox 'Run AWS on this machine: start, stop, look at or empty the project''s sandbox'
            cand validate 'Check a template without AWS: every problem at once, each with its line and how to mend it'
        }
        &'samara;package'= {
            cand -t 'The template [default: template.yaml, template.yml or template.json]'
            cand --template-file 'The template [default: template.yaml, template.yml or template.json]'
            cand --template 'The template [default: template.yaml, template.yml or template.json]'
            cand --output-template-file 'Where the packaged template is written [default: standard output]'
            cand --s3-bucket 'The bucket to upload to [default: samara''s own, made on first use]'
            cand --s3-prefix 'What stands before every key'
            cand --kms-key-id 'KMS key that encrypts the uploads at rest [default: as the bucket has it]'
            cand --metadata 'Metadata of every upload: KEY=VALUE,… or a flat JSON object'
            cand --include 'Pack what looks like a secret or would be left out: a pattern in .gitignore''s syntax; repeatable'
            cand --config-file 'Configuration file, relative to the template''s folder [default: samconfig.toml]'
            cand --config-env 'Environment in the configuration file [default: default]'
            cand --image-repository 'image-repository'
            cand --image-repositories 'image-repositories'
            cand --signing-profiles 'signing-profiles'
            cand --region 'AWS region, such as eu-central-1'
            cand --profile 'Profile of ~/.aws/config'
            cand --output 'What is printed on standard output'
            cand --color 'When to use colours'
            cand --resolve-s3 'Upload to samara''s own bucket, as it does without --s3-bucket'
            cand --no-resolve-s3 'no-resolve-s3'
            cand --use-json 'Write the packaged template as JSON'
            cand --force-upload 'Upload also what the bucket has already'
            cand --no-progressbar 'Show no progress'
            cand --dry-run 'Do everything local and call nothing'
            cand --allow-external-links 'Pack what links point at outside their code folder'
            cand --resolve-image-repos 'resolve-image-repos'
            cand --sandbox 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed'
            cand --debug 'Print what is done in detail, without secrets and bodies, on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'samara;completions'= {
            cand --region 'AWS region, such as eu-central-1'
            cand --profile 'Profile of ~/.aws/config'
            cand --output 'What is printed on standard output'
            cand --color 'When to use colours'
            cand --sandbox 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed'
            cand --debug 'Print what is done in detail, without secrets and bodies, on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'samara;sandbox'= {
            cand --region 'AWS region, such as eu-central-1'
            cand --profile 'Profile of ~/.aws/config'
            cand --output 'What is printed on standard output'
            cand --color 'When to use colours'
            cand --sandbox 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed'
            cand --debug 'Print what is done in detail, without secrets and bodies, on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand start 'Start it and return once it listens; print the environment variables that point clients at it'
            cand stop 'End it; its state stays'
            cand status 'Say whether it runs and where it listens'
            cand reset 'Delete everything in it; one that runs is started again, empty'
        }
        &'samara;sandbox;start'= {
            cand --port 'Port on 127.0.0.1; 0 takes a free one'
            cand --speed 'How many seconds of the sandbox''s clock one real second has'
            cand --idle 'End it after so many minutes without a request; 0 never does'
            cand --region 'AWS region, such as eu-central-1'
            cand --profile 'Profile of ~/.aws/config'
            cand --output 'What is printed on standard output'
            cand --color 'When to use colours'
            cand --foreground 'Stay in the foreground until Ctrl-C'
            cand --sandbox 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed'
            cand --debug 'Print what is done in detail, without secrets and bodies, on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'samara;sandbox;stop'= {
            cand --region 'AWS region, such as eu-central-1'
            cand --profile 'Profile of ~/.aws/config'
            cand --output 'What is printed on standard output'
            cand --color 'When to use colours'
            cand --sandbox 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed'
            cand --debug 'Print what is done in detail, without secrets and bodies, on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'samara;sandbox;status'= {
            cand --region 'AWS region, such as eu-central-1'
            cand --profile 'Profile of ~/.aws/config'
            cand --output 'What is printed on standard output'
            cand --color 'When to use colours'
            cand --sandbox 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed'
            cand --debug 'Print what is done in detail, without secrets and bodies, on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'samara;sandbox;reset'= {
            cand --region 'AWS region, such as eu-central-1'
            cand --profile 'Profile of ~/.aws/config'
            cand --output 'What is printed on standard output'
            cand --color 'When to use colours'
            cand --sandbox 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed'
            cand --debug 'Print what is done in detail, without secrets and bodies, on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'samara;validate'= {
            cand -t 'The template [default: template.yaml, template.yml or template.json]'
            cand --template-file 'The template [default: template.yaml, template.yml or template.json]'
            cand --template 'The template [default: template.yaml, template.yml or template.json]'
            cand --config-file 'Configuration file, relative to the template''s folder [default: samconfig.toml]'
            cand --config-env 'Environment in the configuration file [default: default]'
            cand --region 'AWS region, such as eu-central-1'
            cand --profile 'Profile of ~/.aws/config'
            cand --output 'What is printed on standard output'
            cand --color 'When to use colours'
            cand --no-files 'Check the template alone, without the folders and files that it names'
            cand --files 'files'
            cand --lint 'Accepted as `sam` has it: every rule is always on'
            cand --language-extensions 'language-extensions'
            cand --no-language-extensions 'no-language-extensions'
            cand --beta-features 'beta-features'
            cand --no-beta-features 'no-beta-features'
            cand --save-params 'Save the options of this command line to the configuration file'
            cand --sandbox 'Use the project''s own sandbox under .samara/ instead of an AWS account; started when needed'
            cand --debug 'Print what is done in detail, without secrets and bodies, on standard error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
    ]
    $completions[$command]
}
