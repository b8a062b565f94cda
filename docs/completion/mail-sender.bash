_mail_sender_completion() {
    local IFS=$'
'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" \
                   COMP_CWORD=$COMP_CWORD \
                   _MAIL_SENDER_COMPLETE=complete_bash $1 ) )
    return 0
}

complete -o default -F _mail_sender_completion mail-sender
