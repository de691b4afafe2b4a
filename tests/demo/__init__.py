"""The main job of labquota as a readable transcript, on a real control plane: `make demo`.

Nothing in it is canned: every command is run as the person whose name stands before it, with the real kubectl, and
what it printed is shown. Every step checks its outcome, and the first that differs ends the demo with exit code 1 and
one line of what was expected and what came.

    __main__     arguments, signals, exit code
    stage        the control plane, labquota on it, and the people
    acts         what is played, a function an act
    owning       whose the pods are that people do not make themselves
    storm        two hundred creates at once
    gpus         whole, cut and shared GPUs, and who holds which
    gpunodes     the nodes that these acts are played on, each with its agent
    shell        runs one command as one person and checks it
    transcript   what all that looks like
"""
