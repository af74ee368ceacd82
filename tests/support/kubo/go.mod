// How `make kubo` builds Kubo. Its own go.mod replaces go-libp2p by a fork, which a build from outside does not see: the
// two replacements are the releases that the go-libp2p it then gets asks for.
module kizuna/tests/kubo

go 1.26

require github.com/ipfs/kubo v0.43.1

replace (
	github.com/quic-go/quic-go => github.com/quic-go/quic-go v0.60.0
	github.com/quic-go/webtransport-go => github.com/quic-go/webtransport-go v0.11.1
)
