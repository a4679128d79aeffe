// Package mediafile tells what a file is by its bytes: its format, the size
// and the position of a picture, the length of a sound or a film. It trusts
// nothing that a file says about itself: every read is bounded, and nothing is
// decoded.
//
// [Sniff] looks at the first bytes and says what a file may be; [Measure] looks
// at the whole file and says what it is, or why it is not taken. [Clean] takes
// out of a picture what is not needed to show it: the place where a telephone
// took it, above all.
//
// Libraries of the field read what they read well: boxes of MP4 and QuickTime
// (abema/go-mp4), Exif (bep/imagemeta), compound files of Word (richardlehane/
// mscfb), ZIP, and the headers of pictures. What none of them does is written
// here, in files that are named after the format: the frames of an MP3 counted
// to the end, the pages of an Ogg that does not begin at 0, the chunks of a WAV
// whose recorder was stopped, the objects of a WMV, and the filters of Clean.
package mediafile
