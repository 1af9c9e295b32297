select court, count(*) from hearing group by court;
