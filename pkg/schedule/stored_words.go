package schedule

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// largeNumbers are the words of package numbered beside those of numbers.go.
var largeNumbers = map[string]float64{
	"nil": 0, "naught": 0, "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12,
	"quadrillion": 1e15, "quintillion": 1e18,
}

var notWord = regexp.MustCompile(`[^A-Za-z0-9_]+`)

// numberedWords is parse of package numbered 1.1.0, which human-interval asks:
// it reads the words from the right, drops those that are no numbers, and adds
// up the rest in a way that loses some ("two thousand three hundred" is 600).
func numberedWords(text string) float64 {
	sum := wordSum{}
	sign := 1.0
	for _, word := range slices.Backward(notWord.Split(text, -1)) {
		switch word {
		case "negative":
			sign = -1
		case "point", "period", "decimal":
			sum.point()
		default:
			if n, ok := wordValue(word); ok {
				sum.add(n)
			}
		}
	}
	return sign * (sum.total + sum.stacked())
}

func wordValue(word string) (float64, bool) {
	if n, ok := smallNumbers[word]; ok {
		return float64(n), true
	}
	if n, ok := tens[word]; ok {
		return float64(n), true
	}
	n, ok := largeNumbers[word]
	return n, ok
}

// wordSum is what package numbered keeps while it reads.
type wordSum struct {
	total   float64
	largest float64
	digits  int       // of largest, less one
	zeros   int       // zeros that were read since the last other number
	stack   []float64 // numbers in front of the largest, which multiply it
}

// stacked is the value of the numbers in front of the largest.
func (w *wordSum) stacked() float64 {
	total := 0.0
	for i, n := range slices.Backward(w.stack) {
		if i+1 < len(w.stack) && n > w.stack[i+1] {
			total *= n
		} else {
			total += n
		}
	}
	return total * w.largest
}

func (w *wordSum) settle() {
	w.total += w.stacked()
	w.stack = nil
}

// point turns everything that was read so far into decimals.
func (w *wordSum) point() {
	w.settle()
	decimals := w.zeros + len(javaScriptText(w.total))
	w.zeros, w.largest, w.digits = 0, 0, 0
	w.total *= math.Pow(10, -float64(decimals))
}

func (w *wordSum) add(n float64) {
	digits := len(javaScriptText(n)) - 1
	if digits < w.digits {
		w.stack = append(w.stack, n)
		if len(w.stack) == 1 {
			w.total -= w.largest
		}
		return
	}
	w.settle()
	if n == 0 {
		w.zeros++
		return
	}
	if w.total >= 1 && digits == w.digits { // the numbers stand side by side, as in a year
		joined := javaScriptText(n) + strings.Repeat("0", w.zeros) + javaScriptText(w.total)
		w.zeros = 0
		w.total, _ = strconv.ParseFloat(joined, 64)
		return
	}
	w.largest, w.digits = n, digits
	w.total = (w.total + n) * math.Pow(10, float64(w.zeros))
}

// javaScriptText is String of a number that is below 1e21.
func javaScriptText(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
