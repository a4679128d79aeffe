package schedule

import (
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// storedCron reads the cron expressions that parseCron refuses and that an
// Agenda runs: first those of Agenda 6, then those of Agenda 4 and 5.
func storedCron(text string) (*cron, bool) {
	atoms := strings.Fields(text)
	if len(text) > MaxTextBytes || len(atoms) > len(cronFields) {
		return nil, false
	}
	mended := make([]string, len(atoms))
	for i, atom := range atoms {
		mended[i] = cronFields[len(cronFields)-len(atoms)+i].mend(atom, text)
	}
	if c, f := parseCron(strings.Join(mended, " ")); f == nil {
		return c, true
	}
	return parseCron3(atoms)
}

// mend writes a field in the way that parseCron reads it: with a number in place
// of each name, also within a word, since cron-parser 5 reads "jan1" as 11, and
// with a number in place of each H.
func (field cronField) mend(atom, whole string) string {
	atom = field.withNumbers(atom, names5)
	items := strings.Split(atom, ",")
	for i, item := range items {
		items[i] = field.drawn(item, whole)
	}
	return strings.Join(items, ",")
}

// names5 is what cron-parser 5 takes for a name, names3 what cron-parser 3 does.
var (
	names5 = regexp.MustCompile(`[A-Za-z]{3}`)
	names3 = regexp.MustCompile(`[A-Za-z]{1,3}`)
)

// withNumbers puts a number in place of each name. What is none is left, and
// refused later.
func (field cronField) withNumbers(atom string, names *regexp.Regexp) string {
	return names.ReplaceAllStringFunc(atom, func(name string) string {
		if i := slices.Index(field.names, strings.ToLower(name)); i >= 0 {
			return strconv.Itoa(field.min + i)
		}
		return name
	})
}

// hashed is the H of Jenkins: H, H(0-29), H/15 and H(0-29)/10.
var hashed = regexp.MustCompile(`^H(?:\((\d{1,2})-(\d{1,2})\))?(?:/(\d{1,2}))?$`)

// drawn puts a value in place of an H. Agenda draws another one for each run,
// so the distance between two runs is random there; here the draw is made of
// the text, and so is one that Agenda can make, and always the same.
func (field cronField) drawn(item, whole string) string {
	m := hashed.FindStringSubmatch(item)
	if m == nil {
		return item
	}
	low, high := field.min, field.max
	if field.max == 7 {
		high = 6 // 7 is Sunday again
	}
	if m[1] != "" {
		from, _ := strconv.Atoi(m[1])
		to, _ := strconv.Atoi(m[2])
		low, high = max(low, from), min(high, to)
	}
	step, _ := strconv.Atoi(m[3])
	if low > high || m[3] != "" && step == 0 {
		return item // refused, as by cron-parser
	}
	if m[3] == "" || step > high-low {
		return strconv.Itoa(low + draw(whole, field.name, high-low+1))
	}
	return strconv.Itoa(low+draw(whole, field.name, step)) + "-" + strconv.Itoa(high) + "/" + m[3]
}

// draw returns a number below n that a text and the name of a field decide.
func draw(text, field string, n int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(field + " " + text))
	return int(h.Sum32() % uint32(n))
}
