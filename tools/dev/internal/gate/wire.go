package gate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Operation codes of the MongoDB wire protocol that the gate knows.
const (
	opQuery = 2004
	opMsg   = 2013
)

// Flag bits of OP_MSG.
const (
	flagChecksum   = 1 << 0
	flagMoreToCome = 1 << 1
)

const (
	headerLen = 16
	// maxMessageLen is the limit that MongoDB and FerretDB announce in hello.
	maxMessageLen = 48_000_000
	flagsLen      = 4
	checksumLen   = 4
)

// errMalformed is wrapped by every error about bytes that are not a valid
// message of the wire protocol.
var errMalformed = errors.New("malformed message")

// message is one whole wire protocol message, header included.
type message []byte

// readMessage reads one message. It returns io.EOF untouched when the peer
// closed the connection between two messages.
func readMessage(r io.Reader) (message, error) {
	var header [headerLen]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}

	n := int32(binary.LittleEndian.Uint32(header[:4]))
	if n < headerLen || n > maxMessageLen {
		return nil, fmt.Errorf("%w: length %d", errMalformed, n)
	}

	m := make(message, n)
	copy(m, header[:])

	if _, err := io.ReadFull(r, m[headerLen:]); err != nil {
		return nil, fmt.Errorf("reading a message of %d bytes: %w", n, err)
	}

	return m, nil
}

func (m message) opCode() int32 { return int32(binary.LittleEndian.Uint32(m[12:16])) }

func (m message) body() []byte { return m[headerLen:] }

// unacknowledged says that the client will not read an answer.
func (m message) unacknowledged() bool {
	return m.opCode() == opMsg && len(m.body()) >= flagsLen &&
		binary.LittleEndian.Uint32(m.body())&flagMoreToCome != 0
}

// acknowledged returns m as a message that asks for an answer: the gate needs
// the answer even when the client does not, since only it says that the
// command has ended. The checksum, which covers the flags, is dropped.
func (m message) acknowledged() message {
	flags := binary.LittleEndian.Uint32(m.body())

	if flags&flagChecksum != 0 && len(m.body()) >= flagsLen+checksumLen {
		m = m[:len(m)-checksumLen]
		binary.LittleEndian.PutUint32(m, uint32(len(m)))
	}

	binary.LittleEndian.PutUint32(m.body(), flags&^uint32(flagMoreToCome|flagChecksum))

	return m
}

// command finds out what a request asks for.
func (m message) command() (Command, error) {
	switch code := m.opCode(); code {
	case opMsg:
		doc, err := bodySection(m.body())
		if err != nil {
			return Command{}, err
		}

		return parseCommand(doc, "")
	case opQuery:
		return queryCommand(m.body())
	default:
		return Command{}, fmt.Errorf("%w: operation code %d is not OP_MSG", errMalformed, code)
	}
}

// bodySection returns the command document of an OP_MSG body: its only
// section of kind 0.
func bodySection(body []byte) (bson.Raw, error) {
	var doc bson.Raw

	err := eachSection(body, func(kind byte, content []byte) error {
		if kind == 0 {
			doc = content
		}

		return nil
	})
	if err != nil {
		return nil, err
	}

	return doc, nil
}

// eachSection calls f for the sections of an OP_MSG body: kind 0 is a
// document, kind 1 a named sequence of documents with its length in front.
// Exactly one section is of kind 0.
func eachSection(body []byte, f func(kind byte, content []byte) error) error {
	if len(body) < flagsLen {
		return fmt.Errorf("%w: no flags", errMalformed)
	}

	flags, rest := binary.LittleEndian.Uint32(body), body[flagsLen:]

	if flags&flagChecksum != 0 {
		if len(rest) < checksumLen {
			return fmt.Errorf("%w: no checksum", errMalformed)
		}

		rest = rest[:len(rest)-checksumLen]
	}

	documents := 0

	for len(rest) > 0 {
		kind := rest[0]
		if kind > 1 {
			return fmt.Errorf("%w: section of kind %d", errMalformed, kind)
		}

		if kind == 0 {
			documents++
		}

		n, err := sizePrefix(rest[1:])
		if err != nil {
			return err
		}

		if err := f(kind, rest[1:1+n]); err != nil {
			return err
		}

		rest = rest[1+n:]
	}

	if documents != 1 {
		return fmt.Errorf("%w: %d command documents", errMalformed, documents)
	}

	return nil
}

// sizePrefix reads the length that documents and document sequences start
// with; the length includes itself.
func sizePrefix(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, fmt.Errorf("%w: cut before a length", errMalformed)
	}

	n := int32(binary.LittleEndian.Uint32(b))
	if n < 5 || int(n) > len(b) {
		return 0, fmt.Errorf("%w: length %d of %d bytes", errMalformed, n, len(b))
	}

	return int(n), nil
}

// queryCommand reads the command out of an OP_QUERY body, which drivers use
// for their first greeting: flags, "<db>.$cmd\x00", skip, return, document.
func queryCommand(body []byte) (Command, error) {
	if len(body) < flagsLen {
		return Command{}, fmt.Errorf("%w: no flags", errMalformed)
	}

	namespace, rest, found := bytes.Cut(body[flagsLen:], []byte{0})

	db, isCommand := strings.CutSuffix(string(namespace), ".$cmd")
	if !found || !isCommand || len(rest) < 8 {
		return Command{}, fmt.Errorf("%w: OP_QUERY that is no command", errMalformed)
	}

	doc := rest[8:]

	n, err := sizePrefix(doc)
	if err != nil {
		return Command{}, err
	}

	return parseCommand(bson.Raw(doc[:n]), db)
}
