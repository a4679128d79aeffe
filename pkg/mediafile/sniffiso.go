package mediafile

import (
	"slices"
	"strings"
)

// The brands of the boxes "ftyp" (mp4ra.org). What is not among them is a film,
// or a sound, in MP4: there are hundreds, and new ones each year.
var (
	brandsOfSounds   = []string{"M4A ", "M4B ", "M4P ", "F4A ", "F4B "}
	brandsOfPictures = []string{"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1", "mif2", "miaf", "avif", "avis", "crx ", "jp2 ", "jpx ", "jpm ", "jxl "}
	brandsOfPhones   = []string{"3gp", "3gg", "3gs", "3gr", "3ge", "3g2", "KDDI", "mmp4"}
)

// withoutType are the boxes that a QuickTime file may begin with; older ones
// have no box "ftyp".
var withoutType = []string{"moov", "mdat", "wide", "free", "skip", "pnot", "udta"}

// sniffISO tells the files that are made of boxes. is = it is one; its format
// is "" when that is not taken.
func sniffISO(head []byte) (format Format, is bool) {
	if len(head) < 12 || head[0] >= ' ' { // a box of half a gigabyte, or text
		return "", false
	}
	kind, brand := string(head[4:8]), string(head[8:12])
	switch {
	case slices.Contains(withoutType, kind):
		return MOV, true
	case kind != "ftyp":
		return "", false
	case brand == "qt  ":
		return MOV, true
	case slices.Contains(brandsOfSounds, brand):
		return M4A, true
	case slices.Contains(brandsOfPictures, brand), isPhone(brand):
		return "", true
	}
	return MP4, true
}

func isPhone(brand string) bool {
	return slices.ContainsFunc(brandsOfPhones, func(begin string) bool { return strings.HasPrefix(brand, begin) })
}

// describeISO says what a file of boxes is that is not taken, where its brand
// tells more than the library.
func describeISO(head []byte) string {
	format, is := sniffISO(head)
	if !is || format != "" {
		return ""
	}
	switch brand := string(head[8:12]); {
	case strings.HasPrefix(brand, "av"):
		return reasonOf("image/avif")
	case isPhone(brand):
		return reasonOf("video/3gpp")
	case strings.HasPrefix(brand, "j"):
		return "is a picture in JPEG 2000 or JPEG XL; convert it to JPEG"
	case brand == "crx ":
		return "is a picture as the camera saw it (CR3); convert it to JPEG"
	case brand == "mif1", brand == "msf1", brand == "mif2", brand == "miaf":
		return reasonOf("image/heif")
	}
	return reasonOf("image/heic")
}

func reasonOf(name string) string {
	for _, k := range known {
		if k.name == name {
			return k.reason
		}
	}
	return ""
}
