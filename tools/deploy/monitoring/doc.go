// Package monitoring holds the tests of deploy/prometheus and deploy/grafana:
// every expression parses, every metric is one that a program exports, and every
// alert is explained.
package monitoring
