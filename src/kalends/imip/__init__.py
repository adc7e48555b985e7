"""Mail as iTIP (RFC 6047): an engine without I/O; `serve.mailer` has the sockets, `cli.mail` the commands.

`queue` takes jobs and settles them, `letter` reads one, `words` says it for people, `writing` makes the mail,
`verdicts` tells what a server's reply means. `splitting` and `reading` find the messages in a mail that came,
`proof` asks who sent it, `intake` hands them to the door (docs/mail.md).
"""
