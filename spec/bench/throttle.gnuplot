# Requests that a server had in the last second, over time, against the limit of 40: one panel for each program, what is
# above the limit in red. 'place' holds the data that throttle.lua wrote, 'out' is the picture.
names = "moonrest p-throttle-strict bottleneck p-throttle"
titles = "'moonrest' 'p-throttle, strict' 'Bottleneck, reservoir' 'p-throttle'"
limit = 40
set terminal svg size 960,760 font "sans,14" background "white"
set output out
set multiplot layout 4,1 margins 0.07,0.97,0.08,0.90 spacing 0,0.045 \
  title "Requests in the last second, as the server counts them (limit: 40 a second)"
set xrange [0:8]
set yrange [0:99]
set ytics 0,40,80
set grid ytics lc rgb "#e4e4e4"
set tics nomirror scale 0.5
set border 3 lc rgb "#888888"
unset key
do for [i = 1:4] {
  file = place."/".word(names, i).".dat"
  stats file using 2 nooutput
  most = int(STATS_max)
  over = most > limit
  set label 1 sprintf("%s: at most %d", word(titles, i), most) at graph 0.01, 0.87 left font ",15" \
    textcolor rgb (over ? "#b2182b" : "#1b7837")
  if (i == 4) { set xlabel "seconds since the first request"; set format x "%g" } else { unset xlabel; set format x "" }
  plot file using 1:($2 > limit ? limit : $2) with fillsteps fs solid 1.0 noborder lc rgb "#a6dba0", \
    file using 1:(limit):($2 > limit ? $2 : limit) with filledcurves lc rgb "#ef8a62", \
    file using 1:2 with steps lw 1.2 lc rgb "#333333", \
    limit with lines dashtype 2 lw 1.5 lc rgb "#444444"
}
unset multiplot
