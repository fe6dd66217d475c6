# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_polder_global_optspecs
    string join \n config= state= color= q/quiet h/help V/version
end

function __fish_polder_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_polder_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_polder_using_subcommand
    set -l cmd (__fish_polder_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c polder -n "__fish_polder_needs_command" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_needs_command" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_needs_command" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_needs_command" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_needs_command" -s V -l version -d 'Print version'
complete -c polder -n "__fish_polder_needs_command" -f -a "assess" -d 'Judge this host and rank what to do next'
complete -c polder -n "__fish_polder_needs_command" -f -a "explain" -d 'Explain a finding, a treatment or a kind of finding in full'
complete -c polder -n "__fish_polder_needs_command" -f -a "plan" -d 'Find the best set of changes for so many hours of work'
complete -c polder -n "__fish_polder_needs_command" -f -a "apply" -d 'Make the changes of a treatment, check that they worked, take them back if not'
complete -c polder -n "__fish_polder_needs_command" -f -a "undo" -d 'Take a change back'
complete -c polder -n "__fish_polder_needs_command" -f -a "confirm" -d 'Keep a change that would otherwise take itself back'
complete -c polder -n "__fish_polder_needs_command" -f -a "journal" -d 'Show what was changed, and how far'
complete -c polder -n "__fish_polder_needs_command" -f -a "graph" -d 'Write the graph for other programs, or solve one from a file'
complete -c polder -n "__fish_polder_needs_command" -f -a "feed" -d 'Import feeds of known flaws, and show what they cover'
complete -c polder -n "__fish_polder_needs_command" -f -a "baseline" -d 'Keep a signed record of all files, and hold the host against it'
complete -c polder -n "__fish_polder_needs_command" -f -a "restore" -d 'Put a file back as the baseline knows it'
complete -c polder -n "__fish_polder_needs_command" -f -a "watch" -d 'Watch the files of this host, and tell of changes as they happen'
complete -c polder -n "__fish_polder_needs_command" -f -a "access" -d 'Say what accounts of databases may do and need, and give them no more'
complete -c polder -n "__fish_polder_needs_command" -f -a "sbom" -d 'Write what is installed, or what is known of its flaws, for other programs'
complete -c polder -n "__fish_polder_needs_command" -f -a "audit" -d 'List known flaws of the libraries that programs are built with'
complete -c polder -n "__fish_polder_needs_command" -f -a "accept" -d 'Live with a finding on purpose, until a date'
complete -c polder -n "__fish_polder_needs_command" -f -a "reject" -d 'Turn a finding down: it does not hold here, or its treatment is not wanted'
complete -c polder -n "__fish_polder_needs_command" -f -a "reconsider" -d 'Take a decision back'
complete -c polder -n "__fish_polder_needs_command" -f -a "history" -d 'Show earlier assessments and decisions'
complete -c polder -n "__fish_polder_needs_command" -f -a "look" -d 'Show what was seen, table by table'
complete -c polder -n "__fish_polder_needs_command" -f -a "record" -d 'Write all that is looked at into one file, without secrets'
complete -c polder -n "__fish_polder_needs_command" -f -a "doctor" -d 'Check whether Polder can look, remember and rely on the clock'
complete -c polder -n "__fish_polder_needs_command" -f -a "config" -d 'Show the configuration'
complete -c polder -n "__fish_polder_needs_command" -f -a "generate" -d 'Write manual pages, completions, schemas or the list of findings'
complete -c polder -n "__fish_polder_needs_command" -f -a "guard" -d 'Wait, then take an operation back unless it was confirmed'
complete -c polder -n "__fish_polder_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c polder -n "__fish_polder_using_subcommand assess" -l from -d 'Judge a recording made by `polder record` instead of this host' -r -F
complete -c polder -n "__fish_polder_using_subcommand assess" -l root -d 'Look at a root file system in a folder: an image, a chroot, a mounted disk' -r -F
complete -c polder -n "__fish_polder_using_subcommand assess" -l html -d 'Write one self-contained HTML page' -r -F
complete -c polder -n "__fish_polder_using_subcommand assess" -l why -d 'Say why this step, variable or finding has its price' -r
complete -c polder -n "__fish_polder_using_subcommand assess" -l seed -d 'Draw with this seed instead of the configured one' -r
complete -c polder -n "__fish_polder_using_subcommand assess" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand assess" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand assess" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand assess" -s a -l all -d 'Show everything instead of one screen'
complete -c polder -n "__fish_polder_using_subcommand assess" -l json -d 'Print JSON; its schema is in docs/schemas'
complete -c polder -n "__fish_polder_using_subcommand assess" -l sarif -d 'Print the findings as SARIF 2.1.0'
complete -c polder -n "__fish_polder_using_subcommand assess" -l no-history -d 'Do not keep this assessment'
complete -c polder -n "__fish_polder_using_subcommand assess" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand assess" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand explain" -l from -d 'Judge a recording made by `polder record` instead of this host' -r -F
complete -c polder -n "__fish_polder_using_subcommand explain" -l root -d 'Look at a root file system in a folder: an image, a chroot, a mounted disk' -r -F
complete -c polder -n "__fish_polder_using_subcommand explain" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand explain" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand explain" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand explain" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand explain" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand plan" -l budget -d 'Hours of work, such as `4h`, `90min` or `2d` (a day has 8)' -r
complete -c polder -n "__fish_polder_using_subcommand plan" -l breakage -d 'Leave out what is more likely to break something' -r -f -a "none\t'It cannot'
low\t'Unlikely'
some\t'Somebody may notice'
high\t'Whoever is careless locks the door from outside'"
complete -c polder -n "__fish_polder_using_subcommand plan" -l most -d 'Take at most this many' -r
complete -c polder -n "__fish_polder_using_subcommand plan" -l what-if -d 'Price exactly these, in this order, instead of searching' -r
complete -c polder -n "__fish_polder_using_subcommand plan" -l why -d 'Say why this treatment has its place, or none' -r
complete -c polder -n "__fish_polder_using_subcommand plan" -l seed -d 'Draw with this seed instead of the configured one' -r
complete -c polder -n "__fish_polder_using_subcommand plan" -l from -d 'Judge a recording made by `polder record` instead of this host' -r -F
complete -c polder -n "__fish_polder_using_subcommand plan" -l root -d 'Look at a root file system in a folder: an image, a chroot, a mounted disk' -r -F
complete -c polder -n "__fish_polder_using_subcommand plan" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand plan" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand plan" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand plan" -l json -d 'Print JSON; its schema is in docs/schemas'
complete -c polder -n "__fish_polder_using_subcommand plan" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand apply" -l confirm -d 'The name of this host, typed out: needed for changes that could lock you out' -r
complete -c polder -n "__fish_polder_using_subcommand apply" -l keep-after -d 'Seconds until a change that could lock you out takes itself back' -r
complete -c polder -n "__fish_polder_using_subcommand apply" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand apply" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand apply" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand apply" -l dry-run -d 'Show what would change, and change nothing'
complete -c polder -n "__fish_polder_using_subcommand apply" -s y -l yes -d 'Do not ask'
complete -c polder -n "__fish_polder_using_subcommand apply" -l now -d 'Do it now, outside of the windows of `patch.windows`, which hold for what restarts services: packages and units'
complete -c polder -n "__fish_polder_using_subcommand apply" -l json -d 'Print JSON when it is done'
complete -c polder -n "__fish_polder_using_subcommand apply" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand apply" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand undo" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand undo" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand undo" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand undo" -l anyway -d 'Leave as it is what somebody else changed since, and take the rest back'
complete -c polder -n "__fish_polder_using_subcommand undo" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand undo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand confirm" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand confirm" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand confirm" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand confirm" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand confirm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand journal" -l most -d 'Show at most this many' -r
complete -c polder -n "__fish_polder_using_subcommand journal" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand journal" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand journal" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand journal" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand journal" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand journal" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand graph; and not __fish_seen_subcommand_from solve convert help" -l format -d 'The language to write' -r -f -a "json\t'The form that `polder graph solve` reads; its schema is in docs/schemas'
dot\t'Graphviz'
opengraph\t'BloodHound'
problog\t'ProbLog, to have the probabilities checked by another program'"
complete -c polder -n "__fish_polder_using_subcommand graph; and not __fish_seen_subcommand_from solve convert help" -l from -d 'Judge a recording made by `polder record` instead of this host' -r -F
complete -c polder -n "__fish_polder_using_subcommand graph; and not __fish_seen_subcommand_from solve convert help" -l root -d 'Look at a root file system in a folder: an image, a chroot, a mounted disk' -r -F
complete -c polder -n "__fish_polder_using_subcommand graph; and not __fish_seen_subcommand_from solve convert help" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand graph; and not __fish_seen_subcommand_from solve convert help" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand graph; and not __fish_seen_subcommand_from solve convert help" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand graph; and not __fish_seen_subcommand_from solve convert help" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand graph; and not __fish_seen_subcommand_from solve convert help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand graph; and not __fish_seen_subcommand_from solve convert help" -f -a "solve" -d 'Price a graph from a file: losses, treatments, the best plan'
complete -c polder -n "__fish_polder_using_subcommand graph; and not __fish_seen_subcommand_from solve convert help" -f -a "convert" -d 'Write a graph from a file in another language'
complete -c polder -n "__fish_polder_using_subcommand graph; and not __fish_seen_subcommand_from solve convert help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from solve" -l budget -d 'Hours of work, such as `4h`, `90min` or `2d` (a day has 8)' -r
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from solve" -l worlds -d 'Worlds to draw at most, rounded up to whole blocks of 128' -r
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from solve" -l seed -d 'Draw with this seed' -r
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from solve" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from solve" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from solve" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from solve" -l sampled -d 'Sample even what could be solved exactly, to compare'
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from solve" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from solve" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from solve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from convert" -l format -d 'The language to write' -r -f -a "json\t'The form that `polder graph solve` reads; its schema is in docs/schemas'
dot\t'Graphviz'
opengraph\t'BloodHound'
problog\t'ProbLog, to have the probabilities checked by another program'"
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from convert" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from convert" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from convert" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from convert" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from convert" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from help" -f -a "solve" -d 'Price a graph from a file: losses, treatments, the best plan'
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from help" -f -a "convert" -d 'Write a graph from a file in another language'
complete -c polder -n "__fish_polder_using_subcommand graph; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c polder -n "__fish_polder_using_subcommand feed; and not __fish_seen_subcommand_from update import status verify remove help" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand feed; and not __fish_seen_subcommand_from update import status verify remove help" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand feed; and not __fish_seen_subcommand_from update import status verify remove help" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand feed; and not __fish_seen_subcommand_from update import status verify remove help" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand feed; and not __fish_seen_subcommand_from update import status verify remove help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand feed; and not __fish_seen_subcommand_from update import status verify remove help" -f -a "update" -d 'Fetch feeds of known flaws, and import what changed'
complete -c polder -n "__fish_polder_using_subcommand feed; and not __fish_seen_subcommand_from update import status verify remove help" -f -a "import" -d 'Read files of known flaws into the index'
complete -c polder -n "__fish_polder_using_subcommand feed; and not __fish_seen_subcommand_from update import status verify remove help" -f -a "status" -d 'Show what is in the index, and how old it is'
complete -c polder -n "__fish_polder_using_subcommand feed; and not __fish_seen_subcommand_from update import status verify remove help" -f -a "verify" -d 'Read the whole index, and try what must match and must not'
complete -c polder -n "__fish_polder_using_subcommand feed; and not __fish_seen_subcommand_from update import status verify remove help" -f -a "remove" -d 'Take feeds out of the index'
complete -c polder -n "__fish_polder_using_subcommand feed; and not __fish_seen_subcommand_from update import status verify remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from update" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from update" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from update" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from update" -l dry-run -d 'Show what would be fetched, and fetch nothing'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from update" -l anyway -d 'Let a feed with fewer or older records take the place of the one before'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from update" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from update" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from import" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from import" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from import" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from import" -l anyway -d 'Let a feed with fewer or older records take the place of the one before'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from import" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from status" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from status" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from status" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from status" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from verify" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from verify" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from verify" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from verify" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from remove" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from remove" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from remove" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from help" -f -a "update" -d 'Fetch feeds of known flaws, and import what changed'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from help" -f -a "import" -d 'Read files of known flaws into the index'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show what is in the index, and how old it is'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Read the whole index, and try what must match and must not'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Take feeds out of the index'
complete -c polder -n "__fish_polder_using_subcommand feed; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c polder -n "__fish_polder_using_subcommand baseline; and not __fish_seen_subcommand_from init check show diff accept verify export hook keep help" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and not __fish_seen_subcommand_from init check show diff accept verify export hook keep help" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and not __fish_seen_subcommand_from init check show diff accept verify export hook keep help" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand baseline; and not __fish_seen_subcommand_from init check show diff accept verify export hook keep help" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand baseline; and not __fish_seen_subcommand_from init check show diff accept verify export hook keep help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand baseline; and not __fish_seen_subcommand_from init check show diff accept verify export hook keep help" -f -a "init" -d 'Record and sign what is on this host now'
complete -c polder -n "__fish_polder_using_subcommand baseline; and not __fish_seen_subcommand_from init check show diff accept verify export hook keep help" -f -a "check" -d 'Show what is not as it was'
complete -c polder -n "__fish_polder_using_subcommand baseline; and not __fish_seen_subcommand_from init check show diff accept verify export hook keep help" -f -a "show" -d 'Show the baseline itself, or what it says of one path'
complete -c polder -n "__fish_polder_using_subcommand baseline; and not __fish_seen_subcommand_from init check show diff accept verify export hook keep help" -f -a "diff" -d 'Show what differs between two baselines'
complete -c polder -n "__fish_polder_using_subcommand baseline; and not __fish_seen_subcommand_from init check show diff accept verify export hook keep help" -f -a "accept" -d 'Take what was changed on purpose into a new baseline'
complete -c polder -n "__fish_polder_using_subcommand baseline; and not __fish_seen_subcommand_from init check show diff accept verify export hook keep help" -f -a "verify" -d 'Hold every byte of a baseline against its signature'
complete -c polder -n "__fish_polder_using_subcommand baseline; and not __fish_seen_subcommand_from init check show diff accept verify export hook keep help" -f -a "export" -d 'Copy the baseline into a file, to be kept on another machine'
complete -c polder -n "__fish_polder_using_subcommand baseline; and not __fish_seen_subcommand_from init check show diff accept verify export hook keep help" -f -a "hook" -d 'Print settings with which apt hands over archives before it installs them'
complete -c polder -n "__fish_polder_using_subcommand baseline; and not __fish_seen_subcommand_from init check show diff accept verify export hook keep help" -f -a "keep" -d 'Keep archives named on standard input: what the settings of `hook` call'
complete -c polder -n "__fish_polder_using_subcommand baseline; and not __fish_seen_subcommand_from init check show diff accept verify export hook keep help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from init" -l passphrase-file -d 'Read the passphrase from the first line of this file instead of asking for it' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from init" -l because -d 'Why, for those who read it later' -r
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from init" -l io-budget -d 'Read at most so many MiB of content a second' -r
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from init" -l root -d 'Look at a root file system in a folder: an image, a chroot, a mounted disk' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from init" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from init" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from init" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from init" -l again -d 'Record anew although there is a baseline: all that changed since is taken over'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from init" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from init" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from check" -l key -d 'Trust this key only, as `baseline init` printed it' -r
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from check" -l baseline -d 'Hold the host against a baseline that was exported' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from check" -l io-budget -d 'Read at most so many MiB of content a second' -r
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from check" -l root -d 'Look at a root file system in a folder: an image, a chroot, a mounted disk' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from check" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from check" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from check" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from check" -l content -d 'Read all content, whatever the times of files tell'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from check" -s a -l all -d 'Show all changes instead of the first forty'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from check" -l only-changes -d 'Print nothing when nothing differs: for jobs whose output is mailed'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from check" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from show" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from show" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from show" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from diff" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from diff" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from diff" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from diff" -s a -l all -d 'Show all changes instead of the first forty'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from diff" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from diff" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from accept" -l because -d 'Why, for those who read it later' -r
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from accept" -l passphrase-file -d 'Read the passphrase from the first line of this file instead of asking for it' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from accept" -l root -d 'Look at a root file system in a folder: an image, a chroot, a mounted disk' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from accept" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from accept" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from accept" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from accept" -l yes -d 'Accept without asking'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from accept" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from accept" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from verify" -l key -d 'Trust this key only, as `baseline init` printed it' -r
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from verify" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from verify" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from verify" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from export" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from export" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from export" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from export" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from hook" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from hook" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from hook" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from hook" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from hook" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from keep" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from keep" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from keep" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from keep" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from keep" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from help" -f -a "init" -d 'Record and sign what is on this host now'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from help" -f -a "check" -d 'Show what is not as it was'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show the baseline itself, or what it says of one path'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from help" -f -a "diff" -d 'Show what differs between two baselines'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from help" -f -a "accept" -d 'Take what was changed on purpose into a new baseline'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Hold every byte of a baseline against its signature'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from help" -f -a "export" -d 'Copy the baseline into a file, to be kept on another machine'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from help" -f -a "hook" -d 'Print settings with which apt hands over archives before it installs them'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from help" -f -a "keep" -d 'Keep archives named on standard input: what the settings of `hook` call'
complete -c polder -n "__fish_polder_using_subcommand baseline; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c polder -n "__fish_polder_using_subcommand restore" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand restore" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand restore" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand restore" -l dry-run -d 'Show what would change, and change nothing'
complete -c polder -n "__fish_polder_using_subcommand restore" -l yes -d 'Do it without asking'
complete -c polder -n "__fish_polder_using_subcommand restore" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand watch; and not __fish_seen_subcommand_from status events unit help" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand watch; and not __fish_seen_subcommand_from status events unit help" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand watch; and not __fish_seen_subcommand_from status events unit help" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand watch; and not __fish_seen_subcommand_from status events unit help" -l json -d 'Print each event as a line of JSON'
complete -c polder -n "__fish_polder_using_subcommand watch; and not __fish_seen_subcommand_from status events unit help" -l unconfined -d 'Give up no rights and no access: for hosts where that cannot be had'
complete -c polder -n "__fish_polder_using_subcommand watch; and not __fish_seen_subcommand_from status events unit help" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand watch; and not __fish_seen_subcommand_from status events unit help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand watch; and not __fish_seen_subcommand_from status events unit help" -f -a "status" -d 'Say whether a watch runs, and how well it sees'
complete -c polder -n "__fish_polder_using_subcommand watch; and not __fish_seen_subcommand_from status events unit help" -f -a "events" -d 'Show what was told, and whether nobody altered it since'
complete -c polder -n "__fish_polder_using_subcommand watch; and not __fish_seen_subcommand_from status events unit help" -f -a "unit" -d 'Print a unit with which systemd starts it'
complete -c polder -n "__fish_polder_using_subcommand watch; and not __fish_seen_subcommand_from status events unit help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from status" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from status" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from status" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from status" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from events" -s n -l number -d 'Show the last so many instead of the last twenty; 0 for all' -r
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from events" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from events" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from events" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from events" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from events" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from events" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from unit" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from unit" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from unit" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from unit" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from unit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from help" -f -a "status" -d 'Say whether a watch runs, and how well it sees'
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from help" -f -a "events" -d 'Show what was told, and whether nobody altered it since'
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from help" -f -a "unit" -d 'Print a unit with which systemd starts it'
complete -c polder -n "__fish_polder_using_subcommand watch; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c polder -n "__fish_polder_using_subcommand access; and not __fish_seen_subcommand_from audit learn propose prove apply watch help" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and not __fish_seen_subcommand_from audit learn propose prove apply watch help" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and not __fish_seen_subcommand_from audit learn propose prove apply watch help" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand access; and not __fish_seen_subcommand_from audit learn propose prove apply watch help" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand access; and not __fish_seen_subcommand_from audit learn propose prove apply watch help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand access; and not __fish_seen_subcommand_from audit learn propose prove apply watch help" -f -a "audit" -d 'Say what accounts of a database may do, and what they do not need'
complete -c polder -n "__fish_polder_using_subcommand access; and not __fish_seen_subcommand_from audit learn propose prove apply watch help" -f -a "learn" -d 'Say which rights the statements of an account need'
complete -c polder -n "__fish_polder_using_subcommand access; and not __fish_seen_subcommand_from audit learn propose prove apply watch help" -f -a "propose" -d 'Propose the least rights, as SQL and its inverse'
complete -c polder -n "__fish_polder_using_subcommand access; and not __fish_seen_subcommand_from audit learn propose prove apply watch help" -f -a "prove" -d 'Let the server say that everything works with them, and that none can be left out'
complete -c polder -n "__fish_polder_using_subcommand access; and not __fish_seen_subcommand_from audit learn propose prove apply watch help" -f -a "apply" -d 'Give an account the least rights; `polder undo` takes it back'
complete -c polder -n "__fish_polder_using_subcommand access; and not __fish_seen_subcommand_from audit learn propose prove apply watch help" -f -a "watch" -d 'Give back single rights that turn out to be missing'
complete -c polder -n "__fish_polder_using_subcommand access; and not __fish_seen_subcommand_from audit learn propose prove apply watch help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from audit" -l server -d 'The server: `postgresql://…`, `host=… port=…`, `service=…`, `mariadb://…`, `redis://…`, `sqlite:/…`' -r
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from audit" -s d -l database -d 'The database, unless the server names one' -r
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from audit" -l statements -d 'Take statements of this file, too: what the application may send and was not seen to' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from audit" -l slow-log -d 'Take statements of the account from this slow query log (MariaDB)' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from audit" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from audit" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from audit" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from audit" -l only-statements -d 'Take no others'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from audit" -l ended -d 'Take statements of connections that ended as this account\'s: MariaDB does not say whose they were'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from audit" -l no-migrations -d 'Leave out what makes, alters or drops things: releases are made by another account'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from audit" -l all -d 'Show every single right'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from audit" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from audit" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from audit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from learn" -l server -d 'The server: `postgresql://…`, `host=… port=…`, `service=…`, `mariadb://…`, `redis://…`, `sqlite:/…`' -r
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from learn" -s d -l database -d 'The database, unless the server names one' -r
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from learn" -l statements -d 'Take statements of this file, too: what the application may send and was not seen to' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from learn" -l slow-log -d 'Take statements of the account from this slow query log (MariaDB)' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from learn" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from learn" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from learn" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from learn" -l only-statements -d 'Take no others'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from learn" -l ended -d 'Take statements of connections that ended as this account\'s: MariaDB does not say whose they were'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from learn" -l no-migrations -d 'Leave out what makes, alters or drops things: releases are made by another account'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from learn" -l all -d 'Show the statements, too'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from learn" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from learn" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from learn" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -l server -d 'The server: `postgresql://…`, `host=… port=…`, `service=…`, `mariadb://…`, `redis://…`, `sqlite:/…`' -r
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -s d -l database -d 'The database, unless the server names one' -r
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -l statements -d 'Take statements of this file, too: what the application may send and was not seen to' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -l slow-log -d 'Take statements of the account from this slow query log (MariaDB)' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -l columns -d 'Give rights on single columns in which tables' -r -f -a "sensitive\t'In tables that hold something sensitive, by the names of their columns'
always\t'In all tables'
never\t'In none'"
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -l script -d 'Write the SQL into this file' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -l inverse -d 'Write SQL that takes it back into this file' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -l only-statements -d 'Take no others'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -l ended -d 'Take statements of connections that ended as this account\'s: MariaDB does not say whose they were'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -l no-migrations -d 'Leave out what makes, alters or drops things: releases are made by another account'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from propose" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from prove" -l server -d 'The server: `postgresql://…`, `host=… port=…`, `service=…`, `mariadb://…`, `redis://…`, `sqlite:/…`' -r
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from prove" -s d -l database -d 'The database, unless the server names one' -r
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from prove" -l statements -d 'Take statements of this file, too: what the application may send and was not seen to' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from prove" -l slow-log -d 'Take statements of the account from this slow query log (MariaDB)' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from prove" -l columns -d 'Give rights on single columns in which tables' -r -f -a "sensitive\t'In tables that hold something sensitive, by the names of their columns'
always\t'In all tables'
never\t'In none'"
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from prove" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from prove" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from prove" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from prove" -l only-statements -d 'Take no others'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from prove" -l ended -d 'Take statements of connections that ended as this account\'s: MariaDB does not say whose they were'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from prove" -l no-migrations -d 'Leave out what makes, alters or drops things: releases are made by another account'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from prove" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from prove" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from prove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from apply" -l server -d 'The server: `postgresql://…`, `host=… port=…`, `service=…`, `mariadb://…`, `redis://…`, `sqlite:/…`' -r
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from apply" -s d -l database -d 'The database, unless the server names one' -r
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from apply" -l statements -d 'Take statements of this file, too: what the application may send and was not seen to' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from apply" -l slow-log -d 'Take statements of the account from this slow query log (MariaDB)' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from apply" -l columns -d 'Give rights on single columns in which tables' -r -f -a "sensitive\t'In tables that hold something sensitive, by the names of their columns'
always\t'In all tables'
never\t'In none'"
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from apply" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from apply" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from apply" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from apply" -l only-statements -d 'Take no others'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from apply" -l ended -d 'Take statements of connections that ended as this account\'s: MariaDB does not say whose they were'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from apply" -l no-migrations -d 'Leave out what makes, alters or drops things: releases are made by another account'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from apply" -l dry-run -d 'Show what would change, and change nothing'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from apply" -l yes -d 'Do it without asking'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from apply" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from apply" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from watch" -l server -d 'The server: `postgresql://…`, `host=… port=…`, `service=…`, `mariadb://…`, `redis://…`, `sqlite:/…`' -r
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from watch" -s d -l database -d 'The database, unless the server names one' -r
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from watch" -l log -d 'The log of PostgreSQL, unless it says itself where that is' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from watch" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from watch" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from watch" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from watch" -l only-tell -d 'Give nothing back: only tell'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from watch" -l json -d 'Print each event as a line of JSON'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from watch" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from help" -f -a "audit" -d 'Say what accounts of a database may do, and what they do not need'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from help" -f -a "learn" -d 'Say which rights the statements of an account need'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from help" -f -a "propose" -d 'Propose the least rights, as SQL and its inverse'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from help" -f -a "prove" -d 'Let the server say that everything works with them, and that none can be left out'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from help" -f -a "apply" -d 'Give an account the least rights; `polder undo` takes it back'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from help" -f -a "watch" -d 'Give back single rights that turn out to be missing'
complete -c polder -n "__fish_polder_using_subcommand access; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c polder -n "__fish_polder_using_subcommand sbom" -l format -d 'The form to write' -r -f -a "cyclonedx\t'CycloneDX 1.6'
spdx\t'SPDX 2.3'
openvex\t'OpenVEX 0.2.0: known flaws of what is installed, as imported feeds tell them'"
complete -c polder -n "__fish_polder_using_subcommand sbom" -l files -d 'Add the libraries that lock files, installers and compilers noted below this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand sbom" -l from -d 'Judge a recording made by `polder record` instead of this host' -r -F
complete -c polder -n "__fish_polder_using_subcommand sbom" -l root -d 'Look at a root file system in a folder: an image, a chroot, a mounted disk' -r -F
complete -c polder -n "__fish_polder_using_subcommand sbom" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand sbom" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand sbom" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand sbom" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand sbom" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand audit" -l format -d 'The form to write: text, json, osv as OSV\'s scanner does, sarif' -r -f -a "text\t'For people'
json\t'All that is known'
osv\t'The form of OSV\'s scanner'
sarif\t'SARIF 2.1.0'"
complete -c polder -n "__fish_polder_using_subcommand audit" -l from -d 'Judge a recording made by `polder record` instead of this host' -r -F
complete -c polder -n "__fish_polder_using_subcommand audit" -l root -d 'Look at a root file system in a folder: an image, a chroot, a mounted disk' -r -F
complete -c polder -n "__fish_polder_using_subcommand audit" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand audit" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand audit" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand audit" -l all -d 'Show notices that are no flaws, too: unmaintained, unsound'
complete -c polder -n "__fish_polder_using_subcommand audit" -l programs -d 'Ask programs in folders, too, what they are built from; those you name are always asked'
complete -c polder -n "__fish_polder_using_subcommand audit" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand audit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand accept" -l because -d 'Why' -r
complete -c polder -n "__fish_polder_using_subcommand accept" -l owner -d 'Who answers for it' -r
complete -c polder -n "__fish_polder_using_subcommand accept" -l until -d 'Last day of the decision, as YYYY-MM-DD' -r
complete -c polder -n "__fish_polder_using_subcommand accept" -l from -d 'Judge a recording made by `polder record` instead of this host' -r -F
complete -c polder -n "__fish_polder_using_subcommand accept" -l root -d 'Look at a root file system in a folder: an image, a chroot, a mounted disk' -r -F
complete -c polder -n "__fish_polder_using_subcommand accept" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand accept" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand accept" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand accept" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand accept" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand reject" -l because -d 'Why' -r
complete -c polder -n "__fish_polder_using_subcommand reject" -l owner -d 'Who answers for it' -r
complete -c polder -n "__fish_polder_using_subcommand reject" -l until -d 'Last day of the decision, as YYYY-MM-DD' -r
complete -c polder -n "__fish_polder_using_subcommand reject" -l from -d 'Judge a recording made by `polder record` instead of this host' -r -F
complete -c polder -n "__fish_polder_using_subcommand reject" -l root -d 'Look at a root file system in a folder: an image, a chroot, a mounted disk' -r -F
complete -c polder -n "__fish_polder_using_subcommand reject" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand reject" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand reject" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand reject" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand reject" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand reconsider" -l from -d 'Judge a recording made by `polder record` instead of this host' -r -F
complete -c polder -n "__fish_polder_using_subcommand reconsider" -l root -d 'Look at a root file system in a folder: an image, a chroot, a mounted disk' -r -F
complete -c polder -n "__fish_polder_using_subcommand reconsider" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand reconsider" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand reconsider" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand reconsider" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand reconsider" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand history" -l most -d 'Show at most this many assessments' -r
complete -c polder -n "__fish_polder_using_subcommand history" -l from -d 'Judge a recording made by `polder record` instead of this host' -r -F
complete -c polder -n "__fish_polder_using_subcommand history" -l root -d 'Look at a root file system in a folder: an image, a chroot, a mounted disk' -r -F
complete -c polder -n "__fish_polder_using_subcommand history" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand history" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand history" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand history" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand history" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand look" -l from -d 'Judge a recording made by `polder record` instead of this host' -r -F
complete -c polder -n "__fish_polder_using_subcommand look" -l root -d 'Look at a root file system in a folder: an image, a chroot, a mounted disk' -r -F
complete -c polder -n "__fish_polder_using_subcommand look" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand look" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand look" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand look" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand look" -l csv -d 'Print CSV (RFC 4180)'
complete -c polder -n "__fish_polder_using_subcommand look" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand look" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand record" -l root -d 'Look at a root file system in a folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand record" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand record" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand record" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand record" -l force -d 'Write over a file that exists'
complete -c polder -n "__fish_polder_using_subcommand record" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand record" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand doctor" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand doctor" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand doctor" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand doctor" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand doctor" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand config; and not __fish_seen_subcommand_from show help" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand config; and not __fish_seen_subcommand_from show help" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand config; and not __fish_seen_subcommand_from show help" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand config; and not __fish_seen_subcommand_from show help" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand config; and not __fish_seen_subcommand_from show help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand config; and not __fish_seen_subcommand_from show help" -f -a "show" -d 'Show every setting with its value'
complete -c polder -n "__fish_polder_using_subcommand config; and not __fish_seen_subcommand_from show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c polder -n "__fish_polder_using_subcommand config; and __fish_seen_subcommand_from show" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand config; and __fish_seen_subcommand_from show" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand config; and __fish_seen_subcommand_from show" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand config; and __fish_seen_subcommand_from show" -l origin -d 'Say where each value comes from'
complete -c polder -n "__fish_polder_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c polder -n "__fish_polder_using_subcommand config; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show every setting with its value'
complete -c polder -n "__fish_polder_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c polder -n "__fish_polder_using_subcommand generate" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand generate" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand generate" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand generate" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand generate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand guard" -l config -d 'Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml' -r -F
complete -c polder -n "__fish_polder_using_subcommand guard" -l state -d 'Keep history and decisions in this folder' -r -F
complete -c polder -n "__fish_polder_using_subcommand guard" -l color -d 'Say when to use colors; `NO_COLOR` is honored' -r -f -a "auto\t'On a terminal'
always\t'Always'
never\t'Never'"
complete -c polder -n "__fish_polder_using_subcommand guard" -s q -l quiet -d 'Show no progress and no hints'
complete -c polder -n "__fish_polder_using_subcommand guard" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "assess" -d 'Judge this host and rank what to do next'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "explain" -d 'Explain a finding, a treatment or a kind of finding in full'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "plan" -d 'Find the best set of changes for so many hours of work'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "apply" -d 'Make the changes of a treatment, check that they worked, take them back if not'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "undo" -d 'Take a change back'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "confirm" -d 'Keep a change that would otherwise take itself back'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "journal" -d 'Show what was changed, and how far'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "graph" -d 'Write the graph for other programs, or solve one from a file'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "feed" -d 'Import feeds of known flaws, and show what they cover'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "baseline" -d 'Keep a signed record of all files, and hold the host against it'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "restore" -d 'Put a file back as the baseline knows it'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "watch" -d 'Watch the files of this host, and tell of changes as they happen'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "access" -d 'Say what accounts of databases may do and need, and give them no more'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "sbom" -d 'Write what is installed, or what is known of its flaws, for other programs'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "audit" -d 'List known flaws of the libraries that programs are built with'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "accept" -d 'Live with a finding on purpose, until a date'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "reject" -d 'Turn a finding down: it does not hold here, or its treatment is not wanted'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "reconsider" -d 'Take a decision back'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "history" -d 'Show earlier assessments and decisions'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "look" -d 'Show what was seen, table by table'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "record" -d 'Write all that is looked at into one file, without secrets'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "doctor" -d 'Check whether Polder can look, remember and rely on the clock'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "config" -d 'Show the configuration'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "generate" -d 'Write manual pages, completions, schemas or the list of findings'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "guard" -d 'Wait, then take an operation back unless it was confirmed'
complete -c polder -n "__fish_polder_using_subcommand help; and not __fish_seen_subcommand_from assess explain plan apply undo confirm journal graph feed baseline restore watch access sbom audit accept reject reconsider history look record doctor config generate guard help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from graph" -f -a "solve" -d 'Price a graph from a file: losses, treatments, the best plan'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from graph" -f -a "convert" -d 'Write a graph from a file in another language'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from feed" -f -a "update" -d 'Fetch feeds of known flaws, and import what changed'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from feed" -f -a "import" -d 'Read files of known flaws into the index'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from feed" -f -a "status" -d 'Show what is in the index, and how old it is'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from feed" -f -a "verify" -d 'Read the whole index, and try what must match and must not'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from feed" -f -a "remove" -d 'Take feeds out of the index'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from baseline" -f -a "init" -d 'Record and sign what is on this host now'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from baseline" -f -a "check" -d 'Show what is not as it was'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from baseline" -f -a "show" -d 'Show the baseline itself, or what it says of one path'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from baseline" -f -a "diff" -d 'Show what differs between two baselines'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from baseline" -f -a "accept" -d 'Take what was changed on purpose into a new baseline'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from baseline" -f -a "verify" -d 'Hold every byte of a baseline against its signature'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from baseline" -f -a "export" -d 'Copy the baseline into a file, to be kept on another machine'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from baseline" -f -a "hook" -d 'Print settings with which apt hands over archives before it installs them'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from baseline" -f -a "keep" -d 'Keep archives named on standard input: what the settings of `hook` call'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from watch" -f -a "status" -d 'Say whether a watch runs, and how well it sees'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from watch" -f -a "events" -d 'Show what was told, and whether nobody altered it since'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from watch" -f -a "unit" -d 'Print a unit with which systemd starts it'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from access" -f -a "audit" -d 'Say what accounts of a database may do, and what they do not need'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from access" -f -a "learn" -d 'Say which rights the statements of an account need'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from access" -f -a "propose" -d 'Propose the least rights, as SQL and its inverse'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from access" -f -a "prove" -d 'Let the server say that everything works with them, and that none can be left out'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from access" -f -a "apply" -d 'Give an account the least rights; `polder undo` takes it back'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from access" -f -a "watch" -d 'Give back single rights that turn out to be missing'
complete -c polder -n "__fish_polder_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Show every setting with its value'
