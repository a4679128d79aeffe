package mediafile

import (
	"encoding/binary"
	"io"
	"math"
)

// The formats of the sound in a WAV whose length follows from its bytes.
const (
	wavPCM        = 1
	wavFloat      = 3
	wavALaw       = 6
	wavMuLaw      = 7
	wavExtensible = 0xfffe // the format stands further down
)

// wavSound is what a WAV tells about its sound.
type wavSound struct {
	format, channels, bits, block uint16
	rate                          uint32
	samples                       uint32 // of each channel, as "fact" tells; 0 = it does not
	data                          int64  // bytes; 0 = none were found
}

// measureWAV reads the chunks up to the sound. What the header tells of bytes in
// a second and of the size of all is often wrong and is not used.
func measureWAV(file io.ReaderAt, info *Info) error {
	var sound wavSound
	var long uint64 // the size of the sound where 32 bits do not hold it
	chunks(file, 12, info.Size, func(kind string, body, size int64) bool {
		b := readAt(file, body, int(min(size, 40)))
		switch {
		case kind == "fmt " && len(b) >= 16:
			sound.read(b)
		case kind == "fact" && len(b) >= 4:
			sound.samples = binary.LittleEndian.Uint32(b)
		case kind == "ds64" && len(b) >= 16:
			long = binary.LittleEndian.Uint64(b[8:])
		case kind == "data":
			sound.data = dataOf(file, info.Size, body, size, long)
			return false
		}
		return true
	})
	if sound.rate == 0 {
		return damaged("its header does not say what sound it holds")
	}
	info.Duration = sound.duration()
	return nil
}

func (s *wavSound) read(b []byte) {
	s.format, s.channels = binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
	s.rate = binary.LittleEndian.Uint32(b[4:])
	s.block, s.bits = binary.LittleEndian.Uint16(b[12:]), binary.LittleEndian.Uint16(b[14:])
	if s.format == wavExtensible && len(b) >= 26 {
		s.format = binary.LittleEndian.Uint16(b[24:])
	}
}

// dataOf is how many bytes the sound has. A recorder that was stopped leaves 0,
// or all ones: then it goes to the end.
func dataOf(file io.ReaderAt, fileSize, body, size int64, long uint64) int64 {
	rest := fileSize - body
	declared := binary.LittleEndian.Uint32(append(readAt(file, body-4, 4), make([]byte, 4)...))
	switch {
	case declared == math.MaxUint32 && long > 0 && long < uint64(rest):
		return int64(long)
	case declared == 0 && !chunkFits(file, body, fileSize):
		return rest
	}
	return size
}

// chunkFits reports whether another chunk stands at a place, up to the end at
// the most: then an empty sound is really empty.
func chunkFits(file io.ReaderAt, at, end int64) bool {
	b := readAt(file, at, 8)
	if len(b) < 8 {
		return true
	}
	for _, letter := range b[:4] {
		if letter < ' ' || letter > '~' {
			return false
		}
	}
	return at+8+int64(binary.LittleEndian.Uint32(b[4:])) <= end
}

// duration is in seconds; 0 = it does not follow from what is told.
func (s *wavSound) duration() float64 {
	block := int64(s.channels) * int64(s.bits) / 8
	switch s.format {
	case wavPCM, wavFloat, wavALaw, wavMuLaw:
		if block == 0 {
			block = int64(s.block)
		}
		if block == 0 {
			return 0
		}
		return float64(s.data/block) / float64(s.rate)
	}
	return float64(s.samples) / float64(s.rate)
}
