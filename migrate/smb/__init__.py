"""Room: SMB2/3. smbprotocol negotiates, authenticates and follows DFS; the rest is ours.

    address      smb://host/share/folder and \\\\host\\share\\folder
    credentials  user and password, from the environment or a keyring
    handshake    smbprotocol up to the connected share, and the private parts of it that we rest on
    sealing      signatures and encryption
    messages     the bodies of requests and answers
    status       the server's status codes as OSError
    channel      one connection, many requests in flight
    plain        the same, one request at a time, through smbprotocol
    pace         how fast a server may be asked
    engine       jobs over channels: time-outs, reconnecting
    file         a look at a file, or one held open
    writing      the steps of making a file
    security     owners and permissions
    pipe         a server's service, spoken to
    accounts     whom a server means by a SID

[MS-SMB2] is Microsoft's "Server Message Block (SMB) Protocol Versions 2 and 3".
"""
