package schedule

import (
	"strings"
)

// cronAliases are cron-parser's names for whole expressions. Those that contain
// the name of a unit never get here: see intervalAliases.
var cronAliases = map[string]string{
	"@annually": "0 0 0 1 1 *",
	"@daily":    "0 0 0 * * *",
}

// misreadAliases are aliases that Agenda can only get wrong: it finds "week" and
// "days" in "@weekdays" and runs it every eight days.
var misreadAliases = map[string]string{
	"@weekdays": `write "0 0 * * 1-5"`,
	"@weekends": `write "0 0 * * 0,6"`,
}

var (
	monthNames   = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	weekdayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

// A cronField says what one position of an expression allows.
type cronField struct {
	name     string
	min, max int
	names    []string // names[0] stands for min
	marks    string   // special characters: L, #
}

var cronFields = [6]cronField{
	{name: "second", max: 59},
	{name: "minute", max: 59},
	{name: "hour", max: 23},
	{name: "day of month", min: 1, max: 31, marks: "L"},
	{name: "month", min: 1, max: 12, names: monthNames},
	{name: "day of week", max: 7, names: weekdayNames, marks: "L#"},
}

// parseCron reads a cron expression the way cron-parser 5.10.5 does: five
// fields, or six with seconds first; one to four fields are the last ones, the
// missing ones on the left being second 0 and otherwise *.
func parseCron(text string) (*cron, *fault) {
	if full, ok := cronAliases[text]; ok {
		text = full
	} else if strings.HasPrefix(text, "@") {
		return nil, faultf(`write the expression itself, such as "0 0 * * *"`, "is not a cron alias")
	}
	atoms := strings.Fields(text)
	if len(atoms) == 0 || len(atoms) > len(cronFields) {
		return nil, faultf("write minute, hour, day of month, month and day of week, with seconds in front if needed",
			"has %d cron fields; five or six are read", len(atoms))
	}
	fields := [6]string{"0", "*", "*", "*", "*", "*"}
	copy(fields[len(fields)-len(atoms):], atoms)

	var parsed [6]fieldValues
	for i, field := range cronFields {
		values, f := field.parse(fields[i])
		if f != nil {
			f.reason = "the " + field.name + " field " + quoteShort(fields[i]) + " " + f.reason
			return nil, f
		}
		parsed[i] = values
	}
	c := &cron{
		second: parsed[0].plain, minute: parsed[1].plain, hour: parsed[2].plain,
		dayOfMonth: parsed[3].plain, lastDayOfMonth: parsed[3].last, anyDayOfMonth: parsed[3].any,
		month:     parsed[4].plain,
		dayOfWeek: foldSunday(parsed[5].plain), lastDayOfWeek: foldSunday(parsed[5].lastOf),
		nth: parsed[5].nth, anyDayOfWeek: parsed[5].any,
	}
	if f := c.refuseImpossibleDay(); f != nil {
		return nil, f
	}
	return c, nil
}

// foldSunday turns the other Sunday, 7, into 0.
func foldSunday(s set) set { return s&0x7f | s>>7&1 }

// refuseImpossibleDay refuses what no calendar has: 30 February, 31 April.
func (c *cron) refuseImpossibleDay() *fault {
	if c.lastDayOfMonth || !c.anyDayOfWeek {
		return nil
	}
	longest := 0
	for _, month := range c.month.values() {
		longest = max(longest, [...]int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1])
	}
	if first := c.dayOfMonth.next(1); first > longest {
		return faultf(`write "L" for the last day of the month`, "never runs: none of its months has a day %d", first)
	}
	return nil
}

// fieldValues is what one field of an expression allows.
type fieldValues struct {
	plain  set
	any    bool // exactly * or ?
	last   bool // L in day of month
	lastOf set  // 5L in day of week
	nth    int  // 1#2 in day of week
}

// parse reads one field: a list of values, ranges and steps.
func (field cronField) parse(text string) (fieldValues, *fault) {
	values := fieldValues{any: text == "*" || text == "?"}
	if strings.Contains(field.marks, "#") && strings.Contains(text, "#") {
		var f *fault
		if text, values.nth, f = cutNth(text); f != nil {
			return values, f
		}
	}
	for item := range strings.SplitSeq(text, ",") {
		if f := field.parseItem(item, &values); f != nil {
			return values, f
		}
	}
	return values, nil
}

// cutNth takes the occurrence off "1#2".
func cutNth(text string) (string, int, *fault) {
	weekday, occurrence, _ := strings.Cut(text, "#")
	if strings.ContainsAny(text, ",-/L") {
		return "", 0, faultf(`write one weekday, such as "1#2"`, "combines # with a list, a range, a step or L")
	}
	nth, ok := digits(occurrence, 1, 2)
	if !ok || nth < 1 || nth > 5 {
		return "", 0, faultf(`write "1#2" for the second Monday`, "has no occurrence from 1 to 5 after #")
	}
	return weekday, nth, nil
}

// parseItem reads one item of a list and adds it to values.
func (field cronField) parseItem(item string, values *fieldValues) *fault {
	if f := field.refuseQuartz(item); f != nil {
		return f
	}
	if value, ok := strings.CutSuffix(item, "L"); ok && strings.Contains(field.marks, "L") {
		return field.parseLast(value, values)
	}
	body, step, stepped := strings.Cut(item, "/")
	low, high, f := field.parseRange(body, stepped)
	if f != nil {
		return f
	}
	width := 1
	if stepped {
		var ok bool
		if width, ok = digits(step, 1, 15); !ok || width == 0 {
			return faultf("write a whole number from 1 after /", "has the step %s", quoteShort(step))
		}
	}
	return field.addRange(low, high, width, values)
}

// refuseQuartz names what the cron of Quartz has beyond that of Agenda: days before
// the end of the month, and the nearest working day.
func (field cronField) refuseQuartz(item string) *fault {
	if field.names != nil || !strings.Contains(field.marks, "L") {
		return nil
	}
	switch upper := strings.ToUpper(item); {
	case strings.HasPrefix(upper, "L-") && countDigits(upper[2:]) == len(upper)-2:
		return faultf(`write "L" for the last day of the month, or a day such as "28"`, "has %s, a day before the last one, which is not supported", quoteShort(item))
	case upper == "LW" || strings.HasSuffix(upper, "W") && countDigits(upper) == len(upper)-1:
		return faultf(`write the day alone, such as "15", or weekdays such as "0 0 * * 1-5"`, "has %s, the nearest working day, which is not supported", quoteShort(item))
	}
	return nil
}

// addRange adds every width-th value from low to high. A value that comes twice
// in a list is refused as cron-parser refuses it; 0 and 7 are both Sunday.
func (field cronField) addRange(low, high, width int, values *fieldValues) *fault {
	var added set
	for n := low; n <= high; n += width {
		added.add(n)
	}
	if low == high && field.max == 7 {
		added = foldSunday(added)
	} else if field.max == 7 && added.has(7) {
		added.add(0)
	}
	if twice := (values.plain & added).next(0); twice >= 0 {
		return faultf("write each value once", "lists the value %d twice", twice)
	}
	values.plain |= added
	return nil
}

// parseLast reads what stands before L: nothing in the day of month, a weekday
// in the day of week.
func (field cronField) parseLast(value string, values *fieldValues) *fault {
	if field.names == nil {
		if value != "" || values.last {
			return faultf(`write "L" alone or in a list, once`, "has an L that is not the last day of the month")
		}
		values.last = true
		return nil
	}
	n, f := field.value(value)
	if f != nil || len(value) == 2 { // a digit or a name
		return faultf(`write "5L" for the last Friday of the month`, "has an L without a weekday in front")
	}
	if values.lastOf.has(n) {
		return faultf("write each value once", "lists the value %sL twice", value)
	}
	values.lastOf.add(n)
	return nil
}

// parseRange reads "*", "?", "5" and "5-10". A lone number that has a step runs
// to the end of the field: 10/20 is 10-59/20.
func (field cronField) parseRange(body string, stepped bool) (low, high int, f *fault) {
	if body == "*" || body == "?" {
		return field.min, field.max, nil
	}
	first, second, ranged := strings.Cut(body, "-")
	if first == "" && ranged {
		return 0, 0, faultf(`write a value such as "5", or a range such as "0-5"`, "has a minus sign without a value in front")
	}
	if low, f = field.value(first); f != nil {
		return 0, 0, f
	}
	switch {
	case ranged:
		if high, f = field.value(second); f != nil {
			return 0, 0, f
		}
	case stepped:
		high = field.max
	default:
		high = low
	}
	if low > high {
		return 0, 0, faultf("split it into a list of two ranges", "has the range %s, which runs backwards", quoteShort(body))
	}
	return low, high, nil
}

// value reads one number or three-letter name.
func (field cronField) value(text string) (int, *fault) {
	for i, name := range field.names {
		if strings.EqualFold(text, name) {
			return field.min + i, nil
		}
	}
	n, ok := digits(text, 1, 9)
	if !ok {
		return 0, field.notAValue(text)
	}
	if n < field.min || n > field.max {
		return 0, faultf("", "has the value %d; %d to %d are read", n, field.min, field.max)
	}
	return n, nil
}

func (field cronField) notAValue(text string) *fault {
	hint := ""
	for i, name := range field.names {
		if len(text) > 3 && strings.EqualFold(text[:3], name) {
			hint = "write " + field.names[i]
		}
	}
	if text == "" {
		return faultf(hint, "has an empty value")
	}
	return faultf(hint, "has %s, which is not a value of it", quoteShort(text))
}

// looksLikeCron reports whether a text was meant as a cron expression, so that
// it is refused in those terms. It has five or six fields, each of which starts
// like a cron field (or with a minus sign), or it starts with @ or *.
func looksLikeCron(text string) bool {
	atoms := strings.Fields(text)
	if len(atoms) > 0 && strings.ContainsAny(atoms[0][:1], "@*") {
		return true
	}
	if len(atoms) < 5 || len(atoms) > 7 {
		return false
	}
	for _, atom := range atoms[:3] {
		if !strings.ContainsAny(atom[:1], "0123456789*?LH-") {
			return false
		}
	}
	return true
}
