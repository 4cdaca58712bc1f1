
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
            cand completions 'Print the completion script of a shell'
            cand sandbox 'Run AWS on this machine: start, stop, look at or empty the project''s sandbox'
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
    ]
    $completions[$command]
}
