package localdisk

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"

	"github.com/kovidgoyal/imaging/prism/meta/icc"
)

// greatestProfile is how large a colour profile may be to go along with every
// size of a picture, in bytes. Those of cameras and screens have a few kilobytes;
// those of printers are applied instead.
const greatestProfile = 64 << 10

// The spaces of colours that a profile can be about.
const (
	spaceRGB  = "RGB "
	spaceGrey = "GRAY"
	spaceInks = "CMYK"
)

// colours is what becomes of the colours of a picture: they keep their profile,
// or they are turned into sRGB.
type colours struct {
	keep []byte        // goes along; nil = none
	grey bool          // the picture is grey, and so is its profile
	inks bool          // the pixels are of four inks
	turn *icc.Pipeline // nil = nothing is turned by a profile
}

// coloursOf decides by the profile and the decoded picture.
func coloursOf(profile []byte, source image.Image) colours {
	_, inks := source.(*image.CMYK)
	grey := source.ColorModel() == color.GrayModel || source.ColorModel() == color.Gray16Model
	c := colours{inks: inks}
	space := ""
	if len(profile) >= 20 {
		space = string(profile[16:20])
	}
	switch {
	case space == spaceRGB && !inks && !grey && len(profile) <= greatestProfile:
		c.keep = profile
	case space == spaceGrey && grey && len(profile) <= greatestProfile:
		c.keep, c.grey = profile, true
	case space == spaceRGB && !inks && !grey:
		c.turn = pipeline(profile, 3)
	case space == spaceInks && inks:
		c.turn = pipeline(profile, 4)
	}
	return c
}

// The parts of a profile (ICC.1, section 7).
const (
	profileHead = 128
	profileTag  = 12
	mostTags    = 1000
)

// pipeline returns what turns colours into sRGB; nil = the profile is no use.
// The library makes room for as much as the profile announces, so that is held
// against its length first.
func pipeline(profile []byte, channels int) (turn *icc.Pipeline) {
	if len(profile) < profileHead+4 {
		return nil
	}
	tags := int64(binary.BigEndian.Uint32(profile[profileHead:]))
	if tags > mostTags || profileHead+4+tags*profileTag > int64(len(profile)) {
		return nil
	}
	for i := range tags {
		tag := profile[profileHead+4+i*profileTag:]
		if int64(binary.BigEndian.Uint32(tag[4:]))+int64(binary.BigEndian.Uint32(tag[8:])) > int64(len(profile)) {
			return nil
		}
	}
	defer func() {
		if recover() != nil { // a profile that the library does not expect is none
			turn = nil
		}
	}()
	read, err := icc.DecodeProfile(bytes.NewReader(profile))
	if err != nil {
		return nil
	}
	turn, err = read.CreateTransformerToSRGB(icc.RelativeColorimetricRenderingIntent, true, channels, true, true, true)
	if err != nil {
		return nil
	}
	return turn
}

// finish turns the pixels of a drawn picture into what is written, with the
// profile that goes along.
func (c colours) finish(drawn *image.RGBA) (image.Image, []byte) {
	switch {
	case c.grey:
		grey := image.NewGray(drawn.Rect)
		for i := range grey.Pix {
			grey.Pix[i] = drawn.Pix[4*i]
		}
		return grey, c.keep
	case c.inks || c.turn != nil:
		for at := 0; at+4 <= len(drawn.Pix); at += 4 {
			c.pixel(drawn.Pix[at : at+4 : at+4])
		}
	}
	return drawn, c.keep
}

// pixel turns one pixel into sRGB, in its place.
func (c colours) pixel(p []uint8) {
	switch {
	case c.turn == nil:
		p[0], p[1], p[2] = color.CMYKToRGB(p[0], p[1], p[2], p[3])
		p[3] = 255
	case c.inks:
		in, out := [4]float64{float64(p[0]) / 255, float64(p[1]) / 255, float64(p[2]) / 255, float64(p[3]) / 255}, [4]float64{}
		c.turn.TransformGeneral(out[:], in[:])
		p[0], p[1], p[2], p[3] = share(out[0]), share(out[1]), share(out[2]), 255
	case p[3] > 0:
		whole := float64(p[3])
		r, g, b := c.turn.Transform(float64(p[0])/whole, float64(p[1])/whole, float64(p[2])/whole)
		p[0], p[1], p[2] = uint8(r*whole+0.5), uint8(g*whole+0.5), uint8(b*whole+0.5)
	}
}

// share is a part of one as a byte.
func share(part float64) uint8 { return uint8(min(max(part, 0), 1)*255 + 0.5) }
