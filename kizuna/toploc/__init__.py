"""TOPLOC: light verification of what a node computed, without redoing all of it.

After Ong et al., "TOPLOC: A Locality Sensitive Hashing Scheme for Trustless Verifiable Inference"
(https://arxiv.org/abs/2501.16007); proofs are the bytes of the authors' package, 258 per chunk.
"""
