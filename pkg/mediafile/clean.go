package mediafile

import "io"

// Clean returns a picture without what is not needed to show it, and the size
// of that: the place, the time and the device that a telephone notes (Exif, XMP,
// IPTC, comments), previews, and whatever stands behind the picture, such as the
// film of a "motion photo". Nothing is decoded, and no pixel changes. What stays
// is the picture, its colour profile, and how it lies.
//
// A nil reader means that there is nothing to take out. info is that of Measure,
// for a picture.
func Clean(file io.ReaderAt, info Info) (clean io.Reader, size int64, err error) {
	if walks[info.Format] == nil {
		return nil, info.Size, nil
	}
	parts, err := walkPicture(&within{file: file, left: mostRead + 2*info.Size}, info.Size, info.Format, true)
	if err != nil {
		return nil, 0, err
	}
	if parts.kept.whole(info.Size) {
		return nil, info.Size, nil
	}
	return parts.kept.reader(file), parts.kept.size, nil
}

// Profile returns the ICC profile of a picture; nil = it has none, or one that
// is not whole.
func Profile(file io.ReaderAt, info Info) []byte {
	if walks[info.Format] == nil {
		return nil
	}
	parts, err := walkPicture(&within{file: file, left: mostRead + 2*info.Size}, info.Size, info.Format, false)
	if err != nil {
		return nil
	}
	return parts.profile
}
