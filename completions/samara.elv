
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
    ]
    $completions[$command]
}
