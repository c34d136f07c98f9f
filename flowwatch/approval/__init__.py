"""Two-person approval: a version of a site's documents runs live only when one person has signed it as its author and another has approved it.

    points       whether 32 bytes are an Ed25519 public key that only one secret fits
    keys         making and reading private keys, signing, verifying; the only module that knows `cryptography`
    roster       who may sign what: config/approvers.yaml
    signatures   who signed what: config/signatures/<site>.yaml, and the text that a signature is of
    verdict      whether a version is approved by the roster, and what is missing where it is not
    policy       roster and signatures of one root of documents, for those who ask
    proof        the record of an approval in the log and in the journal

The engine knows no keys: what acceptance has verified goes into the log as an operator's record right behind the documents.
"""
