"""The validating webhook: AdmissionReviews over HTTPS, answered by any number of equal replicas.

    server.py      HTTP: reads the body, gives the deadline on, answers with status 200
    review.py      AdmissionReview in, answer out
    gate.py        one review: what is asked, what it means, what is said and logged
    admissions.py  the queue of one owner and its compare-and-swap
    worker.py      serves it: judge a batch, swap once
    means.py       what workers share
    holders.py     which pods hold an owner's budget, for the line of a refusal
    stamper.py     whose an object is, where policies cannot tell
    advising.py    early word to whoever creates, scales or changes a workload
    aftercare.py   what follows a refusal: telling.py writes Events, nudging.py has controllers try again
    app.py         one replica, put together

A replica keeps nothing that another one would need.
"""
