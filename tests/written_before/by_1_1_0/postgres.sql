CREATE TABLE public.green_trips (
    "VendorID" bigint,
    lpep_pickup_datetime timestamp without time zone,
    lpep_dropoff_datetime timestamp without time zone,
    store_and_fwd_flag text,
    "RatecodeID" bigint,
    "PULocationID" bigint,
    "DOLocationID" bigint,
    passenger_count bigint,
    trip_distance double precision,
    fare_amount double precision,
    extra double precision,
    mta_tax double precision,
    tip_amount double precision,
    tolls_amount double precision,
    ehail_fee double precision,
    improvement_surcharge double precision,
    total_amount double precision,
    payment_type bigint,
    trip_type bigint,
    congestion_surcharge double precision,
    cbd_congestion_fee double precision,
    pickup_longitude double precision,
    pickup_latitude double precision,
    dropoff_longitude double precision,
    dropoff_latitude double precision,
    file_month date
)
PARTITION BY LIST (file_month);
CREATE TABLE public.green_trips_2020_10 (
    "VendorID" bigint,
    lpep_pickup_datetime timestamp without time zone,
    lpep_dropoff_datetime timestamp without time zone,
    store_and_fwd_flag text,
    "RatecodeID" bigint,
    "PULocationID" bigint,
    "DOLocationID" bigint,
    passenger_count bigint,
    trip_distance double precision,
    fare_amount double precision,
    extra double precision,
    mta_tax double precision,
    tip_amount double precision,
    tolls_amount double precision,
    ehail_fee double precision,
    improvement_surcharge double precision,
    total_amount double precision,
    payment_type bigint,
    trip_type bigint,
    congestion_surcharge double precision,
    cbd_congestion_fee double precision,
    pickup_longitude double precision,
    pickup_latitude double precision,
    dropoff_longitude double precision,
    dropoff_latitude double precision,
    file_month date
);
CREATE TABLE public.green_trips_2020_11 (
    "VendorID" bigint,
    lpep_pickup_datetime timestamp without time zone,
    lpep_dropoff_datetime timestamp without time zone,
    store_and_fwd_flag text,
    "RatecodeID" bigint,
    "PULocationID" bigint,
    "DOLocationID" bigint,
    passenger_count bigint,
    trip_distance double precision,
    fare_amount double precision,
    extra double precision,
    mta_tax double precision,
    tip_amount double precision,
    tolls_amount double precision,
    ehail_fee double precision,
    improvement_surcharge double precision,
    total_amount double precision,
    payment_type bigint,
    trip_type bigint,
    congestion_surcharge double precision,
    cbd_congestion_fee double precision,
    pickup_longitude double precision,
    pickup_latitude double precision,
    dropoff_longitude double precision,
    dropoff_latitude double precision,
    file_month date
);
CREATE TABLE public.loaded_months (
    dataset text NOT NULL,
    file_month date NOT NULL,
    object_sha256 text NOT NULL,
    rows bigint NOT NULL,
    schema_version integer NOT NULL,
    loaded_at timestamp with time zone NOT NULL,
    entry jsonb NOT NULL,
    source text
);
CREATE TABLE public.rejected_rows (
    dataset text,
    file_month date,
    line bigint,
    reason text NOT NULL,
    text text NOT NULL
);
ALTER TABLE ONLY public.green_trips ATTACH PARTITION public.green_trips_2020_10 FOR VALUES IN ('2020-10-01');
ALTER TABLE ONLY public.green_trips ATTACH PARTITION public.green_trips_2020_11 FOR VALUES IN ('2020-11-01');
INSERT INTO public.green_trips_2020_10 VALUES (2, '2020-10-01 14:49:34', '2020-10-01 14:59:10', 'N', 1, 39, 244, 1, 1.57, 7.5, 0, 0.5, 0, 0, NULL, 0.3, 11.05, 2, 1, 2.75, NULL, NULL, NULL, NULL, NULL, '2020-10-01');
INSERT INTO public.green_trips_2020_10 VALUES (2, '2020-10-27 15:14:37', '2020-10-27 15:28:31', 'N', 1, 65, 42, 1, 4.35, 15, 0, 0.5, 3, 0, NULL, 0.3, 21.55, 1, 1, 2.75, NULL, NULL, NULL, NULL, NULL, '2020-10-01');
INSERT INTO public.green_trips_2020_10 VALUES (NULL, '2020-10-01 12:16:26', '2020-10-01 12:22:53', NULL, NULL, 95, 97, NULL, 1.17, 6.68, 0, 0, 0, 0, NULL, 0.3, 6.98, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2020-10-01');
INSERT INTO public.green_trips_2020_11 VALUES (2, '2020-11-08 09:38:43', '2020-11-08 09:56:51', 'N', 1, 180, 203, 1, 3.93, 15, 0, 0.5, 0, 0, NULL, 0.3, 15.8, 2, 2, 0, NULL, NULL, NULL, NULL, NULL, '2020-11-01');
INSERT INTO public.green_trips_2020_11 VALUES (2, '2020-11-16 19:37:40', '2020-11-16 19:47:17', 'N', 5, 226, 130, 2, 1.59, 7.5, 1, 0.5, 0, 0, NULL, 0.3, 12.05, 1, 1, 2.75, NULL, NULL, NULL, NULL, NULL, '2020-11-01');
INSERT INTO public.green_trips_2020_11 VALUES (1, '2020-11-28 00:35:09', '2020-11-28 00:53:19', 'N', 1, 8, 230, 2, 2.94, 12.5, 0.5, 0.5, 2.5, 0, NULL, 0.3, 19.05, 1, 1, 2.75, NULL, NULL, NULL, NULL, NULL, '2020-11-01');
INSERT INTO public.green_trips_2020_11 VALUES (NULL, '2020-11-07 14:10:04', '2020-11-07 14:20:47', NULL, NULL, 95, 65, NULL, 1.37, 7.95, 0, 0, 0, 0, NULL, 0.3, 8.25, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2020-11-01');
INSERT INTO public.loaded_months VALUES ('green', '2020-10-01', '6b3eb02b005c0a7e32eece9e700103a0261c8f528d9cd4db9466235098f4ba16', 3, 2, '2026-11-29 15:15:54.753044+00', '{"url": "file:///published/green_tripdata_2020-10.csv.gz", "etag": null, "drift": {"read": [], "missing": ["cbd_congestion_fee", "pickup_longitude", "pickup_latitude", "dropoff_longitude", "dropoff_latitude"], "renamed": [], "unknown": []}, "dataset": "green", "quality": {"rows": 3, "nulls": {"VendorID": 1, "ehail_fee": 3, "trip_type": 1, "RatecodeID": 1, "payment_type": 1, "passenger_count": 1, "pickup_latitude": 3, "dropoff_latitude": 3, "pickup_longitude": 3, "dropoff_longitude": 3, "cbd_congestion_fee": 3, "store_and_fwd_flag": 1, "congestion_surcharge": 1}, "total": 39.58, "duplicates": 0, "last_pickup": "2020-10-27 15:14:37", "first_pickup": "2020-10-01 12:16:26", "zero_distance": 0, "negative_total": 0, "implausible_speed": 0, "implausible_amount": 0, "implausible_distance": 0, "implausible_duration": 0, "pickup_outside_month": 0, "dropoff_before_pickup": 0}, "rows_read": 4, "object_key": "data/green/green_tripdata_2020-10.parquet", "year_month": "2020-10", "object_size": 11381, "rejects_key": "data/green/green_tripdata_2020-10.rejects.csv", "source_size": 379, "converted_at": "2026-11-29T15:15:37+00:00", "rows_written": 3, "last_modified": "Sun, 13 Sep 2020 12:26:40 GMT", "object_sha256": "6b3eb02b005c0a7e32eece9e700103a0261c8f528d9cd4db9466235098f4ba16", "rows_rejected": 1, "source_sha256": "acaffe7f37c3696e9e6a789641126a6a18bcec68d81e767b829e9603f292a9af", "object_version": "1795965337473328402", "schema_version": 2}', 'file:///published/green_tripdata_2020-10.csv.gz');
INSERT INTO public.loaded_months VALUES ('green', '2020-11-01', '8dc85d23564f019846523871fdbfb040c05064f52839863a07d18ce8d3bdb723', 4, 2, '2026-11-29 15:16:19.891218+00', '{"url": "file:///published/green_tripdata_2020-11.csv.gz", "etag": null, "drift": {"read": [], "missing": ["cbd_congestion_fee", "pickup_longitude", "pickup_latitude", "dropoff_longitude", "dropoff_latitude"], "renamed": [], "unknown": []}, "dataset": "green", "quality": {"rows": 4, "nulls": {"VendorID": 1, "ehail_fee": 4, "trip_type": 1, "RatecodeID": 1, "payment_type": 1, "passenger_count": 1, "pickup_latitude": 4, "dropoff_latitude": 4, "pickup_longitude": 4, "dropoff_longitude": 4, "cbd_congestion_fee": 4, "store_and_fwd_flag": 1, "congestion_surcharge": 1}, "total": 55.15, "duplicates": 0, "last_pickup": "2020-11-28 00:35:09", "first_pickup": "2020-11-07 14:10:04", "zero_distance": 0, "negative_total": 0, "implausible_speed": 0, "implausible_amount": 0, "implausible_distance": 0, "implausible_duration": 0, "pickup_outside_month": 0, "dropoff_before_pickup": 0}, "rows_read": 4, "object_key": "", "year_month": "2020-11", "object_size": 368, "rejects_key": null, "source_size": 368, "converted_at": "2026-11-29T15:16:19+00:00", "rows_written": 4, "last_modified": "Sun, 13 Sep 2020 12:26:40 GMT", "object_sha256": "8dc85d23564f019846523871fdbfb040c05064f52839863a07d18ce8d3bdb723", "rows_rejected": 0, "source_sha256": "8dc85d23564f019846523871fdbfb040c05064f52839863a07d18ce8d3bdb723", "object_version": "", "schema_version": 2}', 'file:///published/green_tripdata_2020-11.csv.gz');
ALTER TABLE ONLY public.loaded_months
    ADD CONSTRAINT loaded_months_pkey PRIMARY KEY (dataset, file_month);
