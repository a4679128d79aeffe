package uploads

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// mostRanges is how many parts of a file are sent in one reply. RFC 9110
// (section 14.2) lets a server pass over a request for many.
const mostRanges = 16

// span is a part of a file: its first and last byte.
type span struct{ first, last int64 }

// canonicalRange makes the Range of a request one that http.ServeContent answers
// as RFC 9110 wants it, for a file of a size. "" = the request is answered as if
// it had none: another unit, a syntax error, or more parts than a client needs.
func canonicalRange(header string, size int64) string {
	unit, set, found := strings.Cut(header, "=")
	if !found || !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return ""
	}
	var spans []span
	asked := 0
	for text := range strings.SplitSeq(set, ",") {
		text = strings.Trim(text, " \t")
		if text == "" {
			continue // lists may have empty elements
		}
		part, valid := parseSpan(text, size)
		if asked++; !valid || asked > mostRanges {
			return ""
		}
		if part.first <= part.last {
			spans = append(spans, part)
		}
	}
	switch {
	case asked == 0 || overlap(spans):
		return ""
	case len(spans) == 0: // none can be satisfied
		return "bytes=" + strconv.FormatInt(size, 10) + "-"
	}
	texts := make([]string, len(spans))
	for i, s := range spans {
		texts[i] = strconv.FormatInt(s.first, 10) + "-" + strconv.FormatInt(s.last, 10)
	}
	return "bytes=" + strings.Join(texts, ",")
}

// parseSpan reads first-last, first- or -length. A part that the file does not
// have is valid, and empty.
func parseSpan(text string, size int64) (part span, valid bool) {
	first, last, found := strings.Cut(text, "-")
	begin, hasBegin := position(first)
	end, hasEnd := position(last)
	empty := span{1, 0}
	switch {
	case !found, first != "" && !hasBegin, last != "" && !hasEnd, !hasBegin && !hasEnd, hasBegin && hasEnd && end < begin:
		return span{}, false
	case !hasBegin && (end == 0 || size == 0), hasBegin && begin >= size:
		return empty, true
	case !hasBegin:
		return span{max(size-end, 0), size - 1}, true
	case !hasEnd:
		return span{begin, size - 1}, true
	}
	return span{begin, min(end, size-1)}, true
}

// position reads a number of digits; one that is too great for any file is the
// greatest.
func position(text string) (int64, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return math.MaxInt64, true
	}
	return number, true
}

// overlap reports whether two parts have bytes in common: whoever asks for the
// same twice is mistaken, or means ill.
func overlap(spans []span) bool {
	sorted := slices.Clone(spans)
	slices.SortFunc(sorted, func(a, b span) int { return int(min(max(a.first-b.first, -1), 1)) })
	for i := 1; i < len(sorted); i++ {
		if sorted[i].first <= sorted[i-1].last {
			return true
		}
	}
	return false
}
