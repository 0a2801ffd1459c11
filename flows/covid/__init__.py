"""ECDC's daily COVID-19 cases by country, summed by month: plain Python, without Prefect."""
