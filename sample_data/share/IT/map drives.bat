net use s: \\server\dept
