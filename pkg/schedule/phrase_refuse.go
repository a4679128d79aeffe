package schedule

import (
	"slices"
	"strconv"
	"strings"
)

// unknown refuses a word that has no place in the phrase.
func (r *phraseReader) unknown(word string) *fault {
	if word == "" {
		return faultf(phraseHint, "ends too early")
	}
	for _, name := range fullWeekdayNames {
		if short := strings.TrimSuffix(word, "s"); len(short) >= 3 && strings.HasPrefix(name, short) {
			return faultf("write "+strconv.Quote(name), "has %s, which is not the full name of a weekday", quoteShort(word))
		}
	}
	return faultf(phraseHint, "has %s, which is not understood there", quoteShort(word))
}

// refuseKnownTrap refuses phrases that people write and Agenda reads as another
// time, with the mend that belongs to each.
func refuseKnownTrap(words []string) *fault {
	text := strings.Join(words, " ")
	switch {
	case text == "asap", text == "immediately":
		return faultf(`write "now"`, "is not a time that can be checked")
	case text == "day after tomorrow", text == "the day after tomorrow":
		return faultf(`write "in 2 days"`, "is read by Agenda as tomorrow")
	case slices.Contains(words, "second") && countDigits(words[max(slices.Index(words, "second"), 1)-1]) == 0:
		return faultf(`write the count in figures, such as "in 1 second"`, "has the word second without a count in figures, which Agenda takes for the number two")
	case slices.Contains(words, "half"), slices.Contains(words, "quarter"):
		return faultf(`write whole units, such as "in 30 minutes"`, "has a fraction, which Agenda misreads")
	}
	return nil
}

// refuseCompound refuses the two-part distances that Agenda adds up wrongly:
// its parser loses the second unit behind minutes and seconds.
func refuseCompound(first, second amount, joined bool) *fault {
	if first.unit <= unitMinute || second.unit >= first.unit || joined && second.unit == unitSecond && second.n == 1 {
		return faultf(`write one unit, such as "in 90 seconds"`, "joins two distances in a way that Agenda adds up wrongly")
	}
	return nil
}
