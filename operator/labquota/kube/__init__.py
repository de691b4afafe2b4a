"""The only package that talks to the API server.

Bytes go in and out of `client`; what they mean is decoded where it is used. `informer` keeps a view of one kind of
object, `lease` decides which operator is the active one. Nothing here asks for the time, draws a random number or
starts a thread by itself: client, clock and randomness are passed in.
"""
