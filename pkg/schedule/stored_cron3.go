package schedule

import (
	"regexp"
	"strconv"
	"strings"
)

// parseCron3 reads an expression as cron-parser 3.5.0 does, which Agenda 4 and 5
// use. It reads what parseCron refuses: a list that names a value twice, and
// ranges and steps with parts too many, of which it takes the first and the last.
func parseCron3(atoms []string) (*cron, bool) {
	fields := [6]string{"0", "*", "*", "*", "*", "*"}
	copy(fields[len(fields)-len(atoms):], atoms)
	c := &cron{}
	var lists [6][]int
	for i, field := range cronFields {
		text, ok := fields[i], true
		if field.max == 7 {
			text, ok = c.takeNth3(text)
		}
		if ok {
			lists[i], ok = field.parse3(text, c)
		}
		if !ok {
			return nil, false
		}
	}
	for i, into := range []*set{&c.second, &c.minute, &c.hour, &c.dayOfMonth, &c.month, &c.dayOfWeek} {
		for _, n := range lists[i] {
			into.add(n)
		}
	}
	c.anyDayOfMonth, c.anyDayOfWeek = len(lists[3]) >= 31, len(lists[5]) == 8
	return c, c.refuseImpossibleDay() == nil
}

// takeNth3 takes "#2" off the weekday. It holds for the days of the month too.
func (c *cron) takeNth3(text string) (string, bool) {
	weekday, occurrence, found := strings.Cut(text, "#")
	if !found {
		return text, true
	}
	nth, ok := digits(occurrence, 1, 2)
	c.nth, c.nthOfAll = nth, true
	return weekday, ok && nth >= 1 && nth <= 5 && !strings.ContainsAny(text, ",/-")
}

var (
	allowed3 = map[string]*regexp.Regexp{
		"day of month": regexp.MustCompile(`^[\dL/*,?-]+$`),
		"day of week":  regexp.MustCompile(`^[\d/*,?-]+$`),
	}
	otherwiseAllowed3 = regexp.MustCompile(`^[\d/*,-]+$`)
)

// parse3 lists the values of a field, those that come twice twice: it is by
// their number that cron-parser 3 tells a field without restriction.
func (field cronField) parse3(text string, c *cron) (list []int, ok bool) {
	text = field.withNumbers(text, names3)
	allowed := allowed3[field.name]
	if allowed == nil {
		allowed = otherwiseAllowed3
	}
	if !allowed.MatchString(text) {
		return nil, false
	}
	wildcard := "*"
	if !strings.Contains(text, "*") {
		wildcard = "?"
	}
	text = strings.ReplaceAll(text, wildcard, strconv.Itoa(field.min)+"-"+strconv.Itoa(field.max))
	for item := range strings.SplitSeq(text, ",") {
		values, ok := field.item3(item, c)
		if !ok {
			return nil, false
		}
		list = append(list, values...)
	}
	return list, true
}

// item3 reads one item of a list: "L", a value, a range, or a range with a step.
func (field cronField) item3(item string, c *cron) ([]int, bool) {
	parts := strings.Split(item, "/")
	body, step, ok := parts[0], 1, true
	if len(parts) > 1 {
		step, ok = digits(parts[len(parts)-1], 1, 9)
		if _, number := digits(body, 1, 9); number {
			body += "-" + strconv.Itoa(field.max)
		}
	}
	if body == "L" {
		c.lastDayOfMonth = true
		return nil, ok
	}
	bounds := strings.Split(body, "-")
	low, isNumber := digits(bounds[0], 1, 9)
	if !ok || !isNumber || step == 0 {
		return nil, false
	}
	if len(bounds) == 1 {
		inRange := low >= field.min && low <= field.max
		if field.max == 7 {
			low %= 7 // a lone 7 is Sunday; that of a range never comes
		}
		return []int{low}, inRange
	}
	high, isNumber := digits(bounds[1], 1, 9)
	if !isNumber || low < field.min || high > field.max || low >= high {
		return nil, false
	}
	var list []int
	for n := low; n <= high; n += step {
		list = append(list, n)
	}
	return list, true
}
