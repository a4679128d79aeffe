package mediafile

import (
	"bytes"
	"encoding/binary"
)

// oggCodec is what the first packet of a stream tells.
type oggCodec struct {
	rate    uint32 // samples in a second; 0 = it is no sound that is known
	skip    uint64 // samples at the beginning that are not played
	headers int    // packets before the sound
	film    bool
	samples func(packet []byte) uint64 // of a packet, by its first bytes
}

// oggFilms are the beginnings of streams of pictures.
var oggFilms = [][]byte{[]byte("\x80theora"), []byte("BBCD"), []byte("\x80daala"), []byte("OVP80"), []byte("\x01video"), []byte("YUV4MPEG")}

// mostOpus is the samples in a second of every Opus.
const opusRate = 48000

// codecOf reads the first packet of a stream.
func codecOf(b []byte) oggCodec {
	for _, film := range oggFilms {
		if bytes.HasPrefix(b, film) {
			return oggCodec{film: true}
		}
	}
	switch {
	case bytes.HasPrefix(b, []byte("OpusHead")) && len(b) >= 12:
		return oggCodec{rate: opusRate, skip: uint64(binary.LittleEndian.Uint16(b[10:])), headers: 2, samples: opusSamples}
	case bytes.HasPrefix(b, []byte("\x01vorbis")) && len(b) >= 29:
		// Nearly all packets are long ones: each adds half a block.
		long := uint64(1) << (b[28] >> 4) / 2
		return oggCodec{rate: binary.LittleEndian.Uint32(b[12:]), headers: 3, samples: func([]byte) uint64 { return long }}
	case bytes.HasPrefix(b, []byte("\x7fFLAC")) && len(b) >= 13+4+13:
		info := b[13+4:] // STREAMINFO, behind "fLaC" and its own header
		most := uint64(binary.BigEndian.Uint16(info[2:]))
		rate := uint32(info[10])<<12 | uint32(info[11])<<4 | uint32(info[12])>>4
		return oggCodec{rate: rate, headers: 1 + int(binary.BigEndian.Uint16(b[7:])), samples: func([]byte) uint64 { return most }}
	case bytes.HasPrefix(b, []byte("Speex   ")) && len(b) >= 68:
		frame := uint64(binary.LittleEndian.Uint32(b[56:])) * uint64(max(binary.LittleEndian.Uint32(b[64:]), 1))
		return oggCodec{rate: binary.LittleEndian.Uint32(b[36:]), headers: 2, samples: func([]byte) uint64 { return frame }}
	}
	return oggCodec{}
}

// opusSamples is how many samples a packet of Opus has (RFC 6716, section 3.1).
func opusSamples(packet []byte) uint64 {
	if len(packet) == 0 {
		return 0
	}
	toc := packet[0]
	var frame uint64
	switch config := toc >> 3; {
	case config < 12: // 10, 20, 40, 60 ms
		frame = []uint64{480, 960, 1920, 2880}[config&3]
	case config < 16: // 10, 20 ms
		frame = []uint64{480, 960}[config&1]
	default: // 2.5, 5, 10, 20 ms
		frame = []uint64{120, 240, 480, 960}[config&3]
	}
	switch toc & 3 {
	case 0:
		return frame
	case 1, 2:
		return 2 * frame
	}
	if len(packet) < 2 {
		return 0
	}
	return frame * uint64(packet[1]&63)
}
