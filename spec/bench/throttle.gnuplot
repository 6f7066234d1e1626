# Requests that arrived in the second before each one, over time, against the limit of 40 a second. 'place' holds the
# data that throttle.lua wrote, 'out' is the picture.
set terminal svg size 960,540 font "sans,14" background "white"
set output out
set title "Requests in the last second, as the server counts them (limit: 40)"
set xlabel "seconds since the first request"
set ylabel "requests in the last second"
set xrange [0:10]
set yrange [0:95]
set key top right
set grid ytics lc rgb "#dddddd"
plot 40 with lines dashtype 2 lw 2 lc rgb "#444444" title "the limit", \
  place."/p-throttle.dat" using 1:2 with steps lw 1.5 lc rgb "#d95f02" title "p-throttle", \
  place."/bottleneck.dat" using 1:2 with steps lw 1.5 lc rgb "#7570b3" title "Bottleneck (reservoir)", \
  place."/p-throttle-strict.dat" using 1:2 with steps lw 1.5 lc rgb "#e7298a" title "p-throttle, strict", \
  place."/moonrest.dat" using 1:2 with steps lw 2.5 lc rgb "#1b9e77" title "moonrest"
