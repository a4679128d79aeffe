package backup

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// contentSum is the sum of the SHA-256 of documents, modulo 2^256. Unlike the
// hash of a file it does not depend on their order, in which two databases
// with the same documents may differ.
type contentSum [4]uint64 // least significant first

func (s *contentSum) add(document []byte) {
	hash := sha256.Sum256(document)
	var carry uint64
	for i := range s {
		s[i], carry = bits.Add64(s[i], binary.LittleEndian.Uint64(hash[8*i:]), carry)
	}
}

// String is the sum as 64 hexadecimal digits.
func (s *contentSum) String() string {
	var out [32]byte
	for i, part := range s {
		binary.LittleEndian.PutUint64(out[8*i:], part)
	}
	return hex.EncodeToString(out[:])
}
