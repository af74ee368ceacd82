// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// Enumerations and records shared by every contract. The numbers are part of the protocol (docs/protocol.md, section 1).

enum Role {
    TRAINER,
    VERIFIER
}

enum Phase {
    NONE,
    OPEN,
    ATTEST,
    SEAL,
    VOTE,
    REVEAL,
    CHALLENGE,
    FINAL,
    VOID
}

enum DocketPhase {
    NONE,
    JCOMMIT,
    JREVEAL,
    CLOSED
}

enum Mark {
    SKIP,
    PASS,
    CHALLENGE
}

enum Check {
    UPDATE,
    ENCODE,
    ROLLOUT,
    SEGMENT,
    AVAILABLE,
    EVIDENCE,
    HEAD
}

enum Ruling {
    NONE,
    CLEAN,
    GUILTY_LONE,
    GUILTY_GROSS,
    INDETERMINATE,
    HUNG
}

enum TaskState {
    NONE,
    LISTED,
    RUNNING,
    FINISHED,
    CANCELLED
}

/// Lengths of the windows of a round and of a docket, in blocks.
struct Windows {
    uint32 open;
    uint32 attest;
    uint32 seal;
    uint32 vote;
    uint32 reveal;
    uint32 challenge;
    uint32 jcommit;
    uint32 jreveal;
}

/// Every amount of a task, in wei of its token, fixed when it is created.
struct Money {
    uint128 price; // one accepted quota of work
    uint128 trainerStake; // per quota
    uint128 verifierStake; // per seat
    uint128 trainerSlash; // taken for a GROSS conviction
    uint128 verifierSlash;
    uint128 trainerBountyCap;
    uint128 verifierBountyCap;
    uint128 checkFee; // per checker and contribution it marked PASS or CHALLENGE
    uint128 attestFee; // per attester and committed contribution
    uint128 jurorFee; // per juror in the majority, accused seat and docket
    uint128 missedDuty; // no commit, no attestation, no vote, no juror reveal
    uint128 unrevealed; // a vote hash without its reveal
    uint128 withheld; // a commitment that the attesters could not retrieve
    uint128 challengeBond; // per challenger and accused seat, jury fees not included
    uint128 cleared; // out of a lost bond, to the trainer that was cleared
    uint128 initiatorBond;
    uint128 tip; // to whoever advances a round or docket
}

struct TaskParams {
    address token;
    address beacon;
    bytes32 spec; // sha2-256 digest of the DAG-CBOR task specification
    bytes32 genesis; // digest of the UnixFS directory of the genesis model
    bytes32 numericsId;
    uint16 trainerSlots; // announced: round 1 opens when as many trainers ...
    uint16 verifierSeats; // ... and verifiers have joined, or at startBlock
    uint16 minVerifierSeats;
    uint16 maxQuota; // 1 in this version
    uint16 shardSlots; // trainer slots of a shard, at most 64
    uint16 committee; // attesters, and checkers, per shard
    uint32 rounds;
    uint64 startBlock;
    uint16 segments; // J
    uint16 segmentsPerChecker;
    uint32 groupsPerSegment;
    uint16 rolloutsPerChecker;
    uint64 auditRate; // out of 2^32
    Windows windows;
    Money money;
}

/// One operator's place in a task.
struct Slot {
    address owner; // cold key: stake and pay
    address operator; // hot key: the round's transactions
    uint32 activeFrom; // first round
    uint32 activeTo; // first round no longer served; type(uint32).max while it stays
    uint16 quota;
    uint8 strikes;
    bool convicted;
    uint32 firstStrike; // round of the oldest strike that counts
    bytes32 secret; // verifiers: last opened value of the secret chain, at first its tip
    uint32 secretsOpened;
    bytes32 numericsId;
}

/// A round as agents read it. Bit p of a trainer or verifier set stands for position p.
struct RoundView {
    Phase phase;
    uint8 attempt; // of the vote: 0, or 1 after a failed quorum
    uint64 openBlock;
    uint64 phaseEnd; // last block of the current window
    uint64 seedTarget;
    uint64 sealTarget;
    uint64 auditTarget;
    bytes32 seed;
    bytes32 seal;
    bytes32 audit;
    uint64 trainers; // frozen when the round opened
    uint64 committed;
    uint64 held; // attested by ceil(2/3) of the attesters
    uint64 challenged;
    uint64 accepted; // SOFT: these weigh in the next version
    uint64 paid; // FINAL: these are paid
    uint256 verifiers; // frozen when the round opened
    uint256 attesters;
    uint256 attested;
    uint256 checkers;
    uint256 voted;
    uint256 revealed;
    uint256 forfeited; // FINAL: convicted verifiers, who lose this round's fees
    bytes32 version; // content digest of the version this round made, as recorded by the next reveals
}

struct Challenge {
    uint8 slot; // accused trainer position
    Check check;
    uint32 item;
    bytes32 measured; // digest of what the challenger computed
}

struct Ballot {
    uint128 marks; // two bits per trainer position
    bytes32 secret; // this round's preimage of the secret chain
    bytes32 evidenceRoot;
    bytes32 previousVersion; // digest of the version the round before made, 0 in round 1
    bytes32 salt;
    Challenge[] challenges;
}

/// One question before a jury: did this seat fail this check at this item?
struct Dispute {
    Role role;
    uint8 accused;
    Check check;
    uint32 item;
    uint256 challengers; // verifier positions, the first one included; 0 for an audit
    uint8 firstChallenger;
    Ruling ruling;
    bytes32 measured;
}

struct DocketView {
    DocketPhase phase;
    uint64 phaseEnd;
    uint256 jurors; // seats that may sit on at least one dispute
    uint256 committed;
    uint256 revealed;
    uint16 disputes;
}

/// What both dockets of a round decided about its trainers; nothing is final before they are closed.
struct Verdict {
    bool closed;
    uint64 guilty;
    uint64 cleared;
    uint256 spent; // jury fees that came out of the price of the guilty
}
