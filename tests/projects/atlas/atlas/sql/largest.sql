select name from cities order by people desc limit 1
